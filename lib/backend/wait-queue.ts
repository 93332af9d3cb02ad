import { Deadline } from '../client/deadline.ts'
import { FastCgiError } from '../errors.ts'

/** How long and in what company a request waits. */
export interface WaitLimits {
  /** Milliseconds, 0 for ever. */
  readonly queueTimeout: number
  /** Requests that may wait at once. */
  readonly queueLimit: number
}

interface Waiter {
  admit(): void
}

/**
 * Requests that wait for their turn, first come first served, never more than allowed and never longer. Bounded here and not
 * in generic-pool, whose waiters cannot leave: clients that have gone would fill the queue.
 */
export class WaitQueue {
  /** In the order of arrival; a Set keeps it and lets anyone leave from the middle. */
  readonly #waiters = new Set<Waiter>()

  get length(): number {
    return this.#waiters.size
  }

  /**
   * Resolves at this request's turn.
   * @throws FastCgiError ERR_FCGI_QUEUE_FULL, ERR_FCGI_QUEUE_TIMEOUT, or the signal's reason when the client leaves
   */
  wait(limits: WaitLimits, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#waiters.size >= limits.queueLimit) return Promise.reject(queueFull(limits))
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter)
        deadline.clear()
        signal.removeEventListener('abort', aborted)
      }
      const waiter: Waiter = {
        admit: () => {
          leave()
          resolve()
        },
      }
      const aborted = (): void => {
        leave()
        reject(signal.reason)
      }
      const deadline = new Deadline()
      deadline.arm(limits.queueTimeout, () => {
        leave()
        reject(queueTimeout(limits))
      })
      signal.addEventListener('abort', aborted, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** Lets the one go on that has waited longest; false when nobody waits. */
  admitNext(): boolean {
    const [first] = this.#waiters
    first?.admit()
    return first !== undefined
  }
}

function queueFull({ queueLimit }: WaitLimits): FastCgiError {
  const detail = `${queueLimit} requests wait already (queueLimit): the backend is too slow or maxConnections too low`
  return new FastCgiError('ERR_FCGI_QUEUE_FULL', { detail })
}

function queueTimeout({ queueTimeout: limit }: WaitLimits): FastCgiError {
  const detail = `No connection became free for ${limit} ms (queueTimeout): the backend is too slow or maxConnections too low`
  return new FastCgiError('ERR_FCGI_QUEUE_TIMEOUT', { detail })
}
