import type { IncomingMessage, ServerResponse } from 'node:http'
import { sep } from 'node:path'
import type { Readable } from 'node:stream'
import send from 'send'
import { realPathOf } from '../../cgi/document-root.ts'
import { unicodeText, utf8Bytes } from '../../cgi/path.ts'
import { quoted } from '../../cgi/quotation.ts'
import { escapePattern, sourcePattern, sourceText } from '../../cgi/script-source.ts'
import { FastCgiError } from '../../errors.ts'
import { keepHeadBehindInterim } from '../answer/response-head.ts'
import { breakOff } from '../break-off.ts'

/** What serving a file needs of its location. */
export interface StaticLocation {
  /** Absolute, Unicode. */
  readonly root: string | null
  readonly scriptExtensions: readonly string[]
  readonly symlinks: 'follow' | 'inside'
}

/** A file that is to be served as it is. */
export interface StaticFile {
  readonly location: StaticLocation
  /** Folded, a byte string, begins with `/`. */
  readonly path: string
}

/** Who asks for a file. */
export interface StaticExchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly client: {
    /** Throws when the client has left. */
    check(): void
    onLeave(listener: () => void): void
  }
}

/**
 * Serves a regular file under a root: ranges, ETag, 304, all as express.static does. False where there is no such file.
 * @throws FastCgiError ERR_FCGI_SCRIPT_HIDDEN for a dotfile, a script's source and what looks like it;
 * ERR_FCGI_LOCAL_FILE when the disk fails
 */
export async function serveStatic(exchange: StaticExchange, file: StaticFile): Promise<boolean> {
  const { location, path } = file
  refuseHidden(path, location.scriptExtensions)
  const root = utf8Bytes(location.root ?? '')
  if (location.symlinks === 'follow') return sendFile(exchange, { root, path })
  const real = await realFile(root, path)
  if (real === null) return false
  // A link's own name may be harmless while it points to a script.
  refuseHidden(real.path, location.scriptExtensions)
  exchange.client.check()
  return sendFile(exchange, real)
}

/** Endings of a script's source that editors, packagers and PHP itself leave beside it. */
const LOOK_ALIKES: readonly string[] = ['~', ...['phps', 'phar', 'inc', 'bak', 'sw[nop]'].map((end) => `\\.${end}`)]

/** Locations are few, so what is remembered is. */
const patterns = new WeakMap<readonly string[], RegExp>()

function hiddenPattern(extensions: readonly string[]): RegExp {
  const known = patterns.get(extensions)
  if (known !== undefined) return known
  const copies = extensions.map((extension) => `${escapePattern(extension)}\\.(?:dist|old|orig|save|tmp)`)
  const pattern = sourcePattern(extensions, [...LOOK_ALIKES, ...copies])
  patterns.set(extensions, pattern)
  return pattern
}

/** A dotfile anywhere on the way, or a last name that Windows would shorten to another one. */
function isDotfileOrShortened(path: string): boolean {
  return path.includes('/.') || /[. ]$/.test(path) || path.includes(':', path.lastIndexOf('/'))
}

function refuseHidden(path: string, extensions: readonly string[]): void {
  if (!isDotfileOrShortened(path) && !hiddenPattern(extensions).test(sourceText(path))) return
  const detail = `${quoted(path)} is a dotfile, a script's source or looks like it: Static never serves these`
  throw new FastCgiError('ERR_FCGI_SCRIPT_HIDDEN', { detail })
}

/** The real name of a file and of its root, so that no link is followed after the check; null where it leaves the root. */
async function realFile(root: string, path: string): Promise<{ root: string; path: string } | null> {
  const [realRoot, real] = await Promise.all([realPathOf(root), realPathOf(root + path)])
  if (realRoot === null || real === null || !real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep))
    return null
  return { root: realRoot, path: `/${real.slice(realRoot.length).split(sep).filter(Boolean).join('/')}` }
}

/** Byte by byte; a name that is no UTF-8 stays none, and `send` finds no such file. */
function encode(path: string): string {
  return path.replace(/[^A-Za-z0-9/._-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function sendFile(
  { req, res, client }: StaticExchange,
  { root, path }: { readonly root: string; readonly path: string },
): Promise<boolean> {
  const stream = send(req, encode(path), { root: unicodeText(root), index: false, dotfiles: 'ignore' })
  const opened = new OpenedFile()
  return new Promise((resolve, reject) => {
    const served = (): void => resolve(true)
    const absent = (): void => {
      res.removeListener('close', served)
      resolve(false)
    }
    res.once('close', served)
    // An answer that waits behind another one on its connection hears of no `close`.
    client.onLeave(() => {
      opened.close()
      served()
    })
    stream.on('stream', (file) => {
      opened.is(file)
      if (!('stream' in res)) keepHeadBehindInterim(res)
    })
    stream.on('directory', absent)
    stream.on('error', (error: SendError) => {
      if (res.headersSent) breakOff(req, res)
      else if (error.status === 412 || error.status === 416) sendRefusal(res, error)
      else if (error.status < 500) absent()
      else reject(localFileError(path, error))
    })
    stream.pipe(res)
  })
}

/**
 * The file of an answer. `send` itself closes it with its answer's connection, which an answer that waits behind another one does not have
 * yet: where the client resets it, the file would stay open for ever.
 */
class OpenedFile {
  #file: Readable | null = null
  #closed = false

  /** `send` has opened it, perhaps too late. */
  is(file: Readable): void {
    this.#file = file
    if (this.#closed) file.destroy()
  }

  close(): void {
    this.#closed = true
    this.#file?.destroy()
  }
}

/** What http-errors makes for `send`. */
interface SendError extends Error {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A precondition or a range that the file does not meet (RFC 9110 sections 15.5.13 and 15.5.17). */
function sendRefusal(res: ServerResponse, error: SendError): void {
  res.statusCode = error.status
  for (const [name, value] of Object.entries(error.headers ?? {})) res.setHeader(name, value)
  res.removeHeader('Content-Type')
  res.setHeader('Content-Length', 0)
  res.end()
}

function localFileError(path: string, cause: Error): FastCgiError {
  const detail = `${quoted(path)} could not be read: see whether it is readable for this process. ${cause.message}`
  return new FastCgiError('ERR_FCGI_LOCAL_FILE', { detail, cause })
}
