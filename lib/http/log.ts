import type { FastCgiError } from '../errors.ts'

/** Console-like or pino-like: each method takes one string. */
export interface Log {
  error(message: string): void
  warn(message: string): void
}

/** What tells one request from another in the log. */
export interface LoggedRequest {
  readonly method: string
  /** REQUEST_URI, as the client wrote it. */
  readonly target: string
}

/** Longest request target in a line of the log. */
const LONGEST_TARGET = 300

/** Backslashes and every character that could break a line, move a terminal or forge an entry. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\\\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g

/** Text from outside as it may stand in the log (CWE-117). */
export function escapeLog(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (character === '\\') return '\\\\'
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** `GET /index.php?a=1`, cut where it is long. */
export function describeRequest({ method, target }: LoggedRequest): string {
  const shown = target.length > LONGEST_TARGET ? `${target.slice(0, LONGEST_TARGET)}…` : target
  return `${escapeLog(method)} ${escapeLog(shown)}`
}

/** Logs a failed request: the gateway's and the backend's failures as errors, the client's own as warnings. */
export function logFailure(log: Log | null, request: LoggedRequest, error: FastCgiError): void {
  if (log === null || hasLeft(error) || error.code === 'ERR_FCGI_INTERCEPTED') return
  const line = `${describeRequest(request)}: ${error.status} ${error.code}: ${error.detail}`
  if (error.status >= 500) log.error(line)
  else log.warn(line)
}

/** By itself, and not because it was waited for in vain. */
function hasLeft({ code, cause }: FastCgiError): boolean {
  return code === 'ERR_FCGI_CLIENT_GONE' && !(cause instanceof DOMException && cause.name === 'TimeoutError')
}
