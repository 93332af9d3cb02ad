import type { RequestFacts } from '../cgi/facts.ts'
import { channels, type RequestStartMessage } from '../diagnostics.ts'
import type { FastCgiError } from '../errors.ts'

/** Tells the diagnostics channels of one request; costs next to nothing where nobody listens. */
export class RequestTrace {
  readonly #message: RequestStartMessage
  readonly #began: number = performance.now()

  constructor({ facts, location, script }: { facts: RequestFacts; location: string; script: string }) {
    this.#message = { method: facts.method, url: facts.target, location, script }
    if (channels.requestStart.hasSubscribers) channels.requestStart.publish(this.#message)
  }

  /** The head of the answer is on its way. */
  head(status: number): void {
    if (channels.requestHead.hasSubscribers) channels.requestHead.publish({ ...this.#message, status })
  }

  end(status: number): void {
    if (!channels.requestEnd.hasSubscribers) return
    channels.requestEnd.publish({ ...this.#message, status, duration: performance.now() - this.#began })
  }

  fail(error: FastCgiError): void {
    if (!channels.requestError.hasSubscribers) return
    channels.requestError.publish({ ...this.#message, error, duration: performance.now() - this.#began })
  }
}
