import type { IncomingMessage } from 'node:http'
import type { RequestFacts } from '../cgi/facts.ts'
import { channels, type RequestStartMessage } from '../diagnostics.ts'
import type { FastCgiError } from '../errors.ts'
import type { ScriptResolution } from './resolution/resolution.ts'

/** What is traced. */
export interface Traced {
  readonly req: IncomingMessage
  readonly facts: RequestFacts
  readonly resolution: ScriptResolution<{ readonly name: string }>
}

let requests = 0

/** Tells the diagnostics channels of one request; costs next to nothing where nobody listens. */
export class RequestTrace {
  /** Its number: what all messages of one request share. */
  readonly request: number
  readonly #traced: Traced
  readonly #began: number = performance.now()

  constructor(traced: Traced) {
    requests += 1
    this.request = requests
    this.#traced = traced
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

  get #message(): RequestStartMessage {
    const { req, facts, resolution } = this.#traced
    const { location, script } = resolution
    const { method, target: url } = facts
    return { request: this.request, req, method, url, location: location.name, script: script.scriptFilename }
  }
}
