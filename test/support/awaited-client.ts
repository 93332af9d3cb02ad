import type { FastCgiError } from '../../lib/errors.ts'
import type { AwaitedClient } from '../../lib/http/body/body-deadline.ts'

/** A client that leaves when the test says so. */
export class LeavingClient implements AwaitedClient {
  #left: FastCgiError | null = null
  #listener: ((error: FastCgiError) => void) | null = null

  check(): void {
    if (this.#left !== null) throw this.#left
  }

  onLeave(listener: (error: FastCgiError) => void): void {
    this.#listener = listener
  }

  giveUp(): void {
    // Nobody is waited for here.
  }

  leave(error: FastCgiError): void {
    this.#left = error
    this.#listener?.(error)
  }
}

/** A client that never leaves. */
export const STAYING: AwaitedClient = new LeavingClient()
