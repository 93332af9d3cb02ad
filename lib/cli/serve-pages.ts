import { existsSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { FastCgiError } from '../index.ts'
import { type NoticePage, sendNotice } from './serve-page.ts'

/** What the pages of a site know of it. */
export interface SiteFacts {
  /** The document root; null: a configuration file has its own. */
  readonly root: string | null
  readonly frontController: string | null
  /** It listens where only this machine can ask. */
  readonly isLoopback: boolean
}

/**
 * Whether a request's answer may tell what only the log tells elsewhere: nobody but this machine can ask, and it asked for this
 * machine (a page of another name that leads here, by DNS rebinding or a tunnel, is read by others).
 */
function mayTell(req: IncomingMessage, { isLoopback }: SiteFacts): boolean {
  const host = (req.headers.host ?? '').toLowerCase().replace(/:\d+$/, '')
  return isLoopback && /^(?:(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(host)
}

/** Nothing is there. */
export function sendNotFound(req: IncomingMessage, res: ServerResponse, site: SiteFacts): void {
  const summary = 'There is nothing here'
  if (!mayTell(req, site)) return sendNotice(req, res, { status: 404, summary })
  const { root, frontController } = site
  const paragraphs = [
    `${req.url} is no file, no script and no directory with an index${root === null ? '.' : ` in ${root}.`}`,
  ]
  if (root !== null && frontController === null && existsSync(join(root, 'index.php'))) {
    const mend = 'If index.php is to answer what is no file, start with --front-controller /index.php.'
    paragraphs.push(`${mend} Laravel, Symfony and WordPress want it so.`)
  }
  sendNotice(req, res, { status: 404, summary, paragraphs })
}

/** A request failed before anything of its answer went out. */
export function sendError(
  req: IncomingMessage,
  res: ServerResponse,
  failed: { error: unknown; site: SiteFacts },
): void {
  const page = errorPage(failed.error)
  const { status, summary, headers = {} } = page
  sendNotice(req, res, mayTell(req, failed.site) ? page : { status, summary, headers })
}

function errorPage(error: unknown): NoticePage {
  if (!(error instanceof FastCgiError)) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { status: 500, summary: 'The server failed', lines: [detail] }
  }
  const { status, message, headers, detail, code } = error
  const paragraphs = [...(detail === message ? [] : [detail]), `The code is ${code}.`]
  return { status, headers, summary: message, paragraphs }
}

/**
 * A script that ends in a fatal error while display_errors is off answers with an empty page of status 500: this puts what it wrote
 * to STDERR there instead. Any page of the script's own stays.
 */
export function fillEmptyFailure(
  req: IncomingMessage,
  res: ServerResponse,
  { site, stderr }: { readonly site: SiteFacts; readonly stderr: () => readonly string[] },
): void {
  if (!mayTell(req, site)) return
  const { writeHead, write, end } = res
  const restore = (): void => void Object.assign(res, { writeHead, write, end })
  res.writeHead = (status: number, ...others: unknown[]): ServerResponse => {
    const send = (): ServerResponse => {
      restore()
      return Reflect.apply(writeHead, res, [status, ...others])
    }
    if (status < 500 || Number(res.getHeader('content-length') ?? 0) !== 0) return send()
    // Held until it is known whether anything follows.
    res.write = (...given: unknown[]): boolean => isNothing(given[0]) || Reflect.apply(write, send(), given)
    res.end = (...given: unknown[]): ServerResponse => {
      if (!isNothing(given[0])) return Reflect.apply(end, send(), given)
      restore()
      // The last of STDERR is logged when the exchange is over.
      setImmediate(() => sendNotice(req, res, emptyFailurePage(status, stderr())))
      return res
    }
    return res
  }
}

function isNothing(chunk: unknown): boolean {
  return !((typeof chunk === 'string' || chunk instanceof Uint8Array) && chunk.length > 0)
}

function emptyFailurePage(status: number, lines: readonly string[]): NoticePage {
  const silent = 'It wrote nothing to STDERR either. With display_errors and log_errors in php.ini it says more.'
  const spoke = 'This is what it wrote to STDERR:'
  return {
    status,
    summary: 'The script failed and sent nothing',
    paragraphs: [lines.length === 0 ? silent : spoke],
    lines,
  }
}
