import { Deadline } from '../client/deadline.ts'
import { FastCgiError } from '../errors.ts'

/** How long and in what company a request waits. */
export interface WaitLimits {
  /** Milliseconds, 0 for ever. */
  readonly queueTimeout: number
  /** Requests that may wait at once. */
  readonly queueLimit: number
}

/** A request that wants to wait. Either `admit` or `refuse` is called, once, unless it leaves. */
export interface Wish<Turn> extends WaitLimits {
  /** Whom it serves: turns go round between clients. */
  readonly client: string
  /** It is its turn. */
  admit(turn: Turn): void
  /** ERR_FCGI_QUEUE_FULL, ERR_FCGI_QUEUE_TIMEOUT, or what {@link WaitQueue.refuse} says. */
  refuse(error: FastCgiError): void
}

/**
 * Requests that wait for their turn: first come first served for one client, and in turns between clients, so that one that asks a
 * thousand times at once delays no other by more than one, and where all places are taken is refused rather than another. Never more
 * than allowed and never longer. Bounded here and not in generic-pool, whose waiters cannot leave: clients that have gone would fill
 * the queue.
 */
export class WaitQueue<W extends Wish<Turn>, Turn> {
  /** The client whose turn is next comes first; the wishes of each in their order. Both let anyone leave from the middle. */
  readonly #clients = new Map<string, Map<W, Deadline>>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** False: refused at once, else it waits. */
  enter(wish: W): boolean {
    if (this.#length >= wish.queueLimit && !this.#makeRoom(wish)) {
      wish.refuse(queueFull(wish))
      return false
    }
    const deadline = new Deadline()
    const { client } = wish
    const wishes = this.#clients.get(client)
    if (wishes === undefined) this.#clients.set(client, new Map([[wish, deadline]]))
    else wishes.set(wish, deadline)
    this.#length += 1
    deadline.arm(wish.queueTimeout, () => {
      this.leave(wish)
      wish.refuse(queueTimeout(wish))
    })
    return true
  }

  /** Refuses the last of those whose client has most of them, for one whose client has fewer. */
  #makeRoom({ client, queueLimit }: W): boolean {
    let most = (this.#clients.get(client)?.size ?? 0) + 1
    let last: W | undefined
    for (const wishes of this.#clients.values()) {
      if (wishes.size <= most) continue
      most = wishes.size
      last = [...wishes.keys()].at(-1)
    }
    if (last === undefined || queueLimit === 0) return false
    this.leave(last)
    last.refuse(queueFull(last))
    return true
  }

  /** Waits no more, if it did: its client has gone. */
  leave(wish: W): void {
    const { client } = wish
    const wishes = this.#clients.get(client)
    const deadline = wishes?.get(wish)
    if (wishes === undefined || deadline === undefined) return
    deadline.clear()
    wishes.delete(wish)
    this.#length -= 1
    if (wishes.size === 0) this.#clients.delete(client)
  }

  /** Lets the next one go on that suits; false when there is none. Its client comes last then. */
  admitNext(turn: Turn, suits: (wish: W) => boolean): boolean {
    for (const [client, wishes] of this.#clients) {
      for (const wish of wishes.keys()) {
        if (!suits(wish)) continue
        this.#clients.delete(client)
        this.#clients.set(client, wishes)
        this.leave(wish)
        wish.admit(turn)
        return true
      }
    }
    return false
  }

  /** Sends away those for whom there is an error. */
  refuse(refusal: (wish: W) => FastCgiError | null): void {
    for (const wishes of [...this.#clients.values()]) {
      for (const wish of [...wishes.keys()]) {
        const error = refusal(wish)
        if (error === null) continue
        this.leave(wish)
        wish.refuse(error)
      }
    }
  }

  /** How many wait that suit. */
  count(suits: (wish: W) => boolean): number {
    let count = 0
    for (const wishes of this.#clients.values()) for (const wish of wishes.keys()) if (suits(wish)) count += 1
    return count
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
