import { Deadline } from '../client/deadline.ts'
import { FastCgiError } from '../errors.ts'

/** How long and in what company a request waits. */
export interface WaitLimits {
  /** Milliseconds, 0 for ever. */
  readonly queueTimeout: number
  /** Requests that may wait at once. */
  readonly queueLimit: number
}

/** A request that wants to wait. */
export interface Wish extends WaitLimits {
  /** Whom it serves: turns go round between clients. */
  readonly client: string
}

interface Waiter<W, Turn> {
  readonly wish: W
  admit(turn: Turn): void
  refuse(error: FastCgiError): void
}

/**
 * Requests that wait for their turn: first come first served for one client, and in turns between clients, so that one that asks a
 * thousand times at once delays no other by more than one. Never more than allowed and never longer. Bounded here and not in
 * generic-pool, whose waiters cannot leave: clients that have gone would fill the queue.
 */
export class WaitQueue<W extends Wish, Turn> {
  /** The client whose turn is next comes first; the waiters of each in their order. Both let anyone leave from the middle. */
  readonly #clients = new Map<string, Set<Waiter<W, Turn>>>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /**
   * Resolves at this request's turn.
   * @throws FastCgiError ERR_FCGI_QUEUE_FULL, ERR_FCGI_QUEUE_TIMEOUT, what {@link refuse} says, or the signal's reason when the
   * client leaves
   */
  wait(wish: W, signal: AbortSignal): Promise<Turn> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#length >= wish.queueLimit) return Promise.reject(queueFull(wish))
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#remove(waiter)
        deadline.clear()
        signal.removeEventListener('abort', aborted)
      }
      const refuse = (error: unknown): void => {
        leave()
        reject(error)
      }
      const admit = (turn: Turn): void => {
        leave()
        resolve(turn)
      }
      const waiter: Waiter<W, Turn> = { wish, admit, refuse }
      const aborted = (): void => refuse(signal.reason)
      const deadline = new Deadline()
      deadline.arm(wish.queueTimeout, () => refuse(queueTimeout(wish)))
      signal.addEventListener('abort', aborted, { once: true })
      this.#add(waiter)
    })
  }

  /** Lets the next one go on whose wish suits; false when there is none. Its client comes last then. */
  admitNext(turn: Turn, suits: (wish: W) => boolean): boolean {
    for (const [client, waiters] of this.#clients) {
      for (const waiter of waiters) {
        if (!suits(waiter.wish)) continue
        this.#clients.delete(client)
        this.#clients.set(client, waiters)
        waiter.admit(turn)
        return true
      }
    }
    return false
  }

  /** Sends away those for whom there is an error. */
  refuse(refusal: (wish: W) => FastCgiError | null): void {
    for (const waiters of [...this.#clients.values()]) {
      for (const waiter of [...waiters]) {
        const error = refusal(waiter.wish)
        if (error !== null) waiter.refuse(error)
      }
    }
  }

  /** How many wait whose wish suits. */
  count(suits: (wish: W) => boolean): number {
    let count = 0
    for (const waiters of this.#clients.values()) for (const { wish } of waiters) if (suits(wish)) count += 1
    return count
  }

  #add(waiter: Waiter<W, Turn>): void {
    const { client } = waiter.wish
    const waiters = this.#clients.get(client)
    if (waiters === undefined) this.#clients.set(client, new Set([waiter]))
    else waiters.add(waiter)
    this.#length += 1
  }

  #remove(waiter: Waiter<W, Turn>): void {
    const { client } = waiter.wish
    const waiters = this.#clients.get(client)
    if (waiters?.delete(waiter) !== true) return
    this.#length -= 1
    if (waiters.size === 0) this.#clients.delete(client)
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
