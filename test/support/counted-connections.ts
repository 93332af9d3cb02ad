import { setImmediate as turn } from 'node:timers/promises'

/** A connection that was accepted. */
interface Accepted {
  readonly number: number
  /** Its other end has not closed yet, as far as has been read. */
  readonly isOpen: () => boolean
}

/**
 * The most connections that were open at once at a backend, counted there. Not when one is accepted: in one turn of the event loop an
 * accept may be told before the close of another that has made room for it. But whatever was closed before a connection was
 * made can be read before that is accepted (epoll tells all that is ready, and a unix socket tells its end with its last bytes), so that a
 * turn later its end has been read. Counted then, and of those accepted no later, none is counted that had made room; and none is
 * missed as long as nothing is answered before it is counted ({@link settled}), as nobody closes without an answer.
 */
export class CountedConnections {
  #accepted: Accepted[] = []
  #count = 0
  #most = 0
  #unsettled = 0

  get most(): number {
    return this.#most
  }

  /** Now: of all accepted. */
  get open(): number {
    return this.#accepted.filter(({ isOpen }) => isOpen()).length
  }

  accept(isOpen: () => boolean): void {
    this.#count += 1
    const accepted: Accepted = { number: this.#count, isOpen }
    this.#accepted.push(accepted)
    this.#unsettled += 1
    void this.#countLater(accepted)
  }

  /** Resolves when all that were accepted have been counted: an answer may go out. */
  async settled(): Promise<void> {
    while (this.#unsettled > 0) await turn()
  }

  async #countLater({ number }: Accepted): Promise<void> {
    await turn()
    await turn()
    this.#unsettled -= 1
    this.#accepted = this.#accepted.filter(({ isOpen }) => isOpen())
    this.#most = Math.max(this.#most, this.#accepted.filter((accepted) => accepted.number <= number).length)
  }
}
