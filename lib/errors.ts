/**
 * Every way in which a request can fail, and the HTTP status that each becomes. This is the one table; docs/errors.md
 * explains the same codes to operators.
 */
const ERROR_TABLE = {
  ERR_FCGI_BAD_TARGET: { status: 400, message: 'The request target is malformed' },
  ERR_FCGI_DUPLICATE_HEADER: { status: 400, message: 'A header that must be single was sent twice' },
  ERR_FCGI_BODY_LENGTH: { status: 400, message: 'The request body is not as long as its Content-Length' },
  ERR_FCGI_SCRIPT_HIDDEN: { status: 404, message: 'Not found' },
  ERR_FCGI_LENGTH_REQUIRED: { status: 411, message: 'The request needs a Content-Length' },
  ERR_FCGI_BODY_LIMIT: { status: 413, message: 'The request body is too large' },
  ERR_FCGI_EXPECTATION: { status: 417, message: 'The expectation cannot be met' },
  ERR_FCGI_PARAMS_LIMIT: { status: 431, message: 'The request headers are too large for FastCGI' },
  ERR_FCGI_CLIENT_GONE: { status: 499, message: 'The client closed the connection' },
  ERR_FCGI_BODY_CONSUMED: { status: 500, message: 'Another middleware has consumed the request body' },
  ERR_FCGI_PARAM_FUNCTION: { status: 500, message: 'A configured parameter could not be computed' },
  ERR_FCGI_INTERNAL: { status: 500, message: 'The FastCGI gateway failed' },
  ERR_FCGI_LOCAL_FILE: { status: 500, message: 'A local file could not be used' },
  ERR_FCGI_INTERCEPTED: { status: 500, message: 'The script answered with an error status' },
  ERR_FCGI_TRANSFER_CODING: { status: 501, message: 'The transfer coding is not supported' },
  ERR_FCGI_CONNECT: { status: 502, message: 'The FastCGI backend cannot be reached' },
  ERR_FCGI_RESET: { status: 502, message: 'The FastCGI backend closed the connection' },
  ERR_FCGI_PROTOCOL: { status: 502, message: 'The FastCGI backend does not speak FastCGI' },
  ERR_FCGI_BAD_RESPONSE: { status: 502, message: 'The FastCGI backend sent a malformed response' },
  ERR_FCGI_TRUNCATED: { status: 502, message: 'The FastCGI backend sent an incomplete response' },
  ERR_FCGI_UNKNOWN_ROLE: { status: 502, message: 'The FastCGI backend does not know the Responder role' },
  ERR_FCGI_DOWN: { status: 503, message: 'The FastCGI backend is down' },
  ERR_FCGI_OVERLOADED: { status: 503, message: 'The FastCGI backend is overloaded' },
  ERR_FCGI_QUEUE_FULL: { status: 503, message: 'Too many requests wait for the FastCGI backend' },
  ERR_FCGI_QUEUE_TIMEOUT: { status: 503, message: 'No connection to the FastCGI backend became free in time' },
  ERR_FCGI_CLOSED: { status: 503, message: 'The FastCGI gateway is shutting down' },
  ERR_FCGI_CONNECT_TIMEOUT: { status: 504, message: 'The FastCGI backend did not accept the connection in time' },
  ERR_FCGI_SEND_TIMEOUT: { status: 504, message: 'The FastCGI backend did not take the request in time' },
  ERR_FCGI_READ_TIMEOUT: { status: 504, message: 'The FastCGI backend did not answer in time' },
  ERR_FCGI_TIMEOUT: { status: 504, message: 'The exchange with the FastCGI backend took too long' },
} as const

/** The codes of {@link FastCgiError}; match on these, never on messages. */
export type FastCgiErrorCode = keyof typeof ERROR_TABLE

/** Each code with the HTTP status and the public message it stands for. */
export const errorTable: Readonly<Record<FastCgiErrorCode, { readonly status: number; readonly message: string }>> =
  ERROR_TABLE

/** What {@link FastCgiError} may be told beyond its code. */
export interface FastCgiErrorDetails {
  /** What happened and what mends it, for the log: may name paths and addresses, never reaches the client. */
  readonly detail?: string
  /** The error underneath, usually Node's. */
  readonly cause?: unknown
  /** Another HTTP status than the table's: only for a script's own status passed on by `interceptErrors`. */
  readonly status?: number
  /** Response headers that belong to that status, as WWW-Authenticate to 401. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Seconds that a client is asked to wait after a 503 (RFC 9110 section 10.2.3). */
const RETRY_AFTER_SECONDS = '1'

/**
 * A request that failed. `message` and `stack` are safe to show to anyone: Express's own error page prints the stack outside
 * production, so the stack holds no frames and no paths. `detail` and `cause` hold what the operator needs.
 */
export class FastCgiError extends Error {
  override readonly name: string = 'FastCgiError'
  readonly code: FastCgiErrorCode
  /** The HTTP status that this failure becomes. */
  readonly status: number
  /** Always false: error handlers in the manner of http-errors show nothing but the status text. */
  readonly expose: boolean = false
  readonly detail: string
  /** Response headers that belong to the failure (Express's final handler sends them). */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: FastCgiErrorCode, details: FastCgiErrorDetails = {}) {
    const { status, message } = errorTable[code]
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.status = details.status ?? status
    this.detail = details.detail ?? message
    this.headers = details.headers ?? (this.status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {})
    // Operational failures come out of socket callbacks, where frames say nothing and paths must not leak.
    Object.defineProperty(this, 'stack', {
      value: `FastCgiError [${code}]: ${message}`,
      configurable: true,
      writable: true,
    })
    // Not enumerable: JSON.stringify(error) in a user's error handler must not hand paths to the client.
    Object.defineProperty(this, 'detail', { enumerable: false })
  }
}

/** Anything that was thrown while a request was served, as the failure of that request; what nobody foresaw is a mistake of ours. */
export function asFastCgiError(thrown: unknown): FastCgiError {
  if (thrown instanceof FastCgiError) return thrown
  const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  return new FastCgiError('ERR_FCGI_INTERNAL', { detail, cause: thrown })
}

/** A mistake in the options given to `fastcgi()`: thrown at once, names the key, what was given and what is allowed. */
export class OptionError extends Error {
  override readonly name: string = 'OptionError'
  readonly code: string = 'ERR_FCGI_OPTION'
}

/** Where a configuration comes from: what to watch for its changes. All paths are absolute. */
export interface ConfigSources {
  /** Files that were read, and files that would have been had they been there. */
  readonly files: readonly string[]
  /** Folders in which a name that comes or goes changes the configuration: of globs, of `sites/`, of files that are not there. */
  readonly directories: readonly string[]
}

/** A broken configuration file. `message` has a line `file:line: …` for every mistake, all of them at once. */
export class ConfigError extends Error implements ConfigSources {
  override readonly name: string = 'ConfigError'
  readonly code: string = 'ERR_FCGI_CONFIG'
  /** The mistakes, one `file:line: what is wrong, what was found, what is allowed` each. */
  readonly problems: readonly string[]
  /** What was read so far; to be watched until it is mended. */
  readonly files: readonly string[]
  readonly directories: readonly string[]

  constructor(problems: readonly string[], { files, directories }: ConfigSources = { files: [], directories: [] }) {
    super(problems.join('\n'))
    this.problems = problems
    this.files = files
    this.directories = directories
  }
}
