import { isUtf8 } from 'node:buffer'
import { FastCgiError } from '../errors.ts'
import { quoted } from './quotation.ts'

/** A URL path, percent-decoded once. Byte strings but for `text`. */
export interface DecodedPath {
  /** Dot segments and repeated slashes folded; begins with `/`, keeps a slash at the end. */
  readonly path: string
  /** Decoded, not folded: where a program's PATH_INFO comes from. */
  readonly decoded: string
  /** `path` as Unicode, for patterns; where the bytes are not UTF-8, the bytes themselves. */
  readonly text: string
  /** An encoded slash or a backslash was in it: it never names a file. */
  readonly unsafe: boolean
}

const SLASH = 0x2f
const DOT = 0x2e
const PERCENT = 0x25
const BACKSLASH = 0x5c

/** Printable ASCII with nothing to decode and nothing to fold: what nearly every request has. */
function isPlain(raw: string): boolean {
  if (raw.charCodeAt(0) !== SLASH) return false
  let previous = 0
  for (let index = 0; index < raw.length; index++) {
    const code = raw.charCodeAt(index)
    if (code <= 0x20 || code >= 0x7f || code === PERCENT || code === BACKSLASH) return false
    if (previous === SLASH && (code === SLASH || code === DOT)) return false
    previous = code
  }
  return true
}

function refuse(detail: string): never {
  throw new FastCgiError('ERR_FCGI_BAD_TARGET', { detail })
}

/** Text from outside the wire (configuration, another middleware) as the bytes of its UTF-8. */
export function utf8Bytes(text: string): string {
  return /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}

/** A byte string as Unicode; as it is where its bytes are not UTF-8. */
export function unicodeText(bytes: string): string {
  if (!/[^\0-\x7f]/.test(bytes)) return bytes
  const buffer = Buffer.from(bytes, 'latin1')
  return isUtf8(buffer) ? buffer.toString('utf8') : bytes
}

function percentDecode(raw: string): string {
  if (!raw.includes('%')) return raw
  if (/%(?![0-9A-Fa-f]{2})/.test(raw))
    refuse(`A "%" in the path is not followed by two hexadecimal digits: ${quoted(raw)}`)
  return raw.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** Folds dot segments (RFC 3986 section 5.2.4) and repeated slashes; refuses a path that climbs above its root. */
export function foldPath(decoded: string): string {
  const kept: string[] = []
  const segments = decoded.split('/')
  for (const segment of segments) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') kept.push(segment)
    else if (kept.pop() === undefined) refuse(`The path climbs above its root: ${quoted(decoded)}`)
  }
  if (kept.length === 0) return '/'
  const last = segments.at(-1)
  const isDirectory = last === '' || last === '.' || last === '..'
  return `/${kept.join('/')}${isDirectory ? '/' : ''}`
}

/**
 * Decodes and folds the path of a request.
 * @throws FastCgiError ERR_FCGI_BAD_TARGET for bad escapes, control characters (NUL among them) and a climb above the root
 */
export function decodePath(raw: string): DecodedPath {
  if (isPlain(raw)) return { path: raw, decoded: raw, text: raw, unsafe: false }
  if (!raw.startsWith('/')) refuse(`The path does not begin with a slash: ${quoted(raw)}`)
  // A space that is not encoded cannot come from HTTP/1.1, and url.parse() inside express.static trims it away.
  if (raw.includes(' ')) refuse(`The path has a space that is not encoded: ${quoted(raw)}`)
  const decoded = percentDecode(/[^\0-\xff]/.test(raw) ? utf8Bytes(raw) : raw)
  if (/[^\x20-\x7e\x80-\xff]/.test(decoded)) refuse(`The path has a control character: ${quoted(decoded)}`)
  const hasBackslash = decoded.includes('\\')
  const path = foldPath(decoded)
  // Where a backslash separates names (Windows), the climb is refused as well, whichever is folded first.
  if (hasBackslash) for (const reading of [decoded, path]) foldPath(reading.replaceAll('\\', '/'))
  return { path, decoded, text: unicodeText(path), unsafe: hasBackslash || /%2f/i.test(raw) }
}
