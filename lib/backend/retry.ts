import type { FastCgiError } from '../errors.ts'

/** How far an attempt went before it failed. */
export interface AttemptProgress {
  readonly error: FastCgiError
  /** Anything was handed to the socket. */
  readonly begun: boolean
  /** A byte of the answer has come. */
  readonly answered: boolean
  /** The connection had served a request before. */
  readonly kept: boolean
  /** The backend's processes are started again whenever they end. */
  readonly restarted: boolean
}

/** What is known of the request itself. */
export interface RequestNature {
  readonly method: string
  /** Its body is still at hand. */
  readonly repeatable: boolean
}

/** Methods that may be sent twice (RFC 9110 section 9.2.2), as far as a backend may be trusted to keep to it. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/** Whether a request may run twice. */
export function mayRunTwice(method: string): boolean {
  return IDEMPOTENT.has(method)
}

/**
 * Whether another attempt is safe: only where the script cannot have run, or may run twice. A POST or PATCH of which anything
 * was sent is never sent again, unless the backend said that it did not serve it.
 */
export function maySendAgain(progress: AttemptProgress, nature: RequestNature): boolean {
  switch (progress.error.code) {
    case 'ERR_FCGI_CONNECT':
    case 'ERR_FCGI_CONNECT_TIMEOUT':
      return true
    case 'ERR_FCGI_OVERLOADED':
      return nature.repeatable
    case 'ERR_FCGI_RESET':
      if (!progress.begun) return true
      if (progress.answered || !(progress.kept || progress.restarted)) return false
      return nature.repeatable && mayRunTwice(nature.method)
    default:
      return false
  }
}
