import { Deadline } from '../client/deadline.ts'
import { FastCgiError } from '../errors.ts'
import type { Server } from './server.ts'

/** How long a request waits for the first addresses of names. */
export interface LookupPatience {
  /** Milliseconds, 0 for ever. */
  readonly connectTimeout: number
  readonly signal: AbortSignal
}

/**
 * Resolves when every name was answered or refused, or time is up and there are backends of one.
 * @throws FastCgiError why there is no backend at all, or the signal's reason
 */
export async function firstAddresses(
  servers: readonly Server[],
  { connectTimeout, signal }: LookupPatience,
): Promise<void> {
  const lookups = Promise.allSettled(servers.map((server) => server.resolve()))
  const outcomes = await unlessLate(lookups, { connectTimeout, signal })
  if (outcomes === null) for (const server of servers) server.noteLate()
  if (servers.some(({ backends }) => backends.length > 0)) return
  const failed = outcomes?.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  const names = servers.map(({ name }) => name).join(', ')
  const detail = `The host name of ${names} was not resolved within ${connectTimeout} ms (connectTimeout): look after the DNS`
  throw new FastCgiError('ERR_FCGI_CONNECT_TIMEOUT', { detail })
}

/** What a promise gives, null when it takes too long. @throws the signal's reason */
function unlessLate<T>(promise: Promise<T>, { connectTimeout, signal }: LookupPatience): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const deadline = new Deadline()
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    deadline.arm(connectTimeout, () => resolve(null))
    promise.then(resolve, reject).finally(() => {
      deadline.clear()
      signal.removeEventListener('abort', abort)
    })
    if (signal.aborted) abort()
  })
}
