import type { FastCgiError } from '../errors.ts'

/** An attempt that brought no answer. */
export interface FailedAttempt {
  readonly error: FastCgiError
  /** A byte of the answer had come. */
  readonly answered: boolean
  /** END_REQUEST had come: what failed is what the script wrote. */
  readonly ended: boolean
  /** The connection had served a request before. */
  readonly kept: boolean
  /** Milliseconds; default 0. */
  readonly took?: number
}

/** What an attempt says of its backend. */
export type Verdict = 'answers' | 'fails' | 'nothing'

/**
 * What a failed attempt says of the backend itself. What a client does, what the gateway does and what a script writes is not its
 * fault; a script that crashes or never answers cannot be told from a backend that does.
 */
export function verdictOf({ error, answered, ended, kept }: FailedAttempt): Verdict {
  if (ended) return 'answers'
  switch (error.code) {
    case 'ERR_FCGI_CONNECT':
    case 'ERR_FCGI_CONNECT_TIMEOUT':
    case 'ERR_FCGI_PROTOCOL':
    case 'ERR_FCGI_UNKNOWN_ROLE':
    case 'ERR_FCGI_TRUNCATED':
      return 'fails'
    case 'ERR_FCGI_RESET':
      // A kept connection dies with any reload and with pm.max_requests: the normal case (php-fpm.md 16).
      return kept ? 'nothing' : 'fails'
    case 'ERR_FCGI_SEND_TIMEOUT':
    case 'ERR_FCGI_READ_TIMEOUT':
      return answered ? 'nothing' : 'fails'
    case 'ERR_FCGI_BAD_RESPONSE':
    case 'ERR_FCGI_OVERLOADED':
      return 'answers'
    default:
      return 'nothing'
  }
}
