import { Deadline } from '../../client/deadline.ts'

/** A client, as far as it keeps others waiting. */
export interface AwaitedClient {
  /** Closes the connection of a client that was waited for in vain. */
  giveUp(detail: string): void
}

/** Bounds each wait for more of a request body: a client that sends nothing holds no backend for ever, and no memory. */
export class BodyDeadline {
  readonly #client: AwaitedClient
  /** Milliseconds; 0: none. */
  readonly #timeout: number
  readonly #deadline: Deadline = new Deadline()

  constructor(client: AwaitedClient, timeout: number) {
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
