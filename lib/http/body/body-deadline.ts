import { Deadline } from '../../client/deadline.ts'
import type { FastCgiError } from '../../errors.ts'

/** A client, as far as it keeps others waiting. */
export interface AwaitedClient {
  /** Throws when it has left. */
  check(): void
  /** Calls `listener` when it leaves; the last one given counts. */
  onLeave(listener: (error: FastCgiError) => void): void
  /** Closes the connection of a client that was waited for in vain. */
  giveUp(detail: string): void
}

/** Bounds each wait for more of a request body: a client that sends nothing holds no backend for ever, and no memory. */
export class BodyDeadline {
  readonly #client: Pick<AwaitedClient, 'giveUp'>
  /** Milliseconds; 0: none. */
  readonly #timeout: number
  readonly #deadline: Deadline = new Deadline()

  constructor(client: Pick<AwaitedClient, 'giveUp'>, timeout: number) {
    this.#client = client
    this.#timeout = timeout
  }

  /** More is waited for, from now on, whatever was waited for before. */
  start(): void {
    this.#deadline.arm(this.#timeout, this.#expired)
  }

  /** Nothing is waited for. */
  clear(): void {
    this.#deadline.clear()
  }

  readonly #expired = (): void =>
    this.#client.giveUp(`The client sent nothing more of its request body for ${this.#timeout} ms (clientTimeout)`)
}
