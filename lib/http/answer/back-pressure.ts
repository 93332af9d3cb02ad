import type { ClientResponse } from './client-response.ts'
import { StallWatch } from './stall-watch.ts'

/** The backend's side of an answer: stop reading from it, go on reading. */
export interface AnswerSource {
  pause(): void
  resume(): void
  /** It was held back in vain: the client takes nothing. */
  stalled(): void
}

/** What {@link BackPressure} obeys. */
export interface BackPressureRules {
  /** Bytes; 0 holds the backend back as soon as the response has no room. */
  readonly limit: number
  /** Milliseconds for which a backend is held back for a client that takes nothing; 0: for ever. */
  readonly clientTimeout: number
}

/** Holds a backend back while a slow client has more than so many bytes ahead of it. Must be released. */
export class BackPressure {
  readonly #res: ClientResponse
  readonly #source: AnswerSource
  readonly #limit: number
  readonly #stall: StallWatch
  /** Bytes written since the response last had room. Counted here, as middleware that compresses hides its own buffers. */
  #ahead = 0
  #paused = false
  #listening = false

  constructor(res: ClientResponse, source: AnswerSource, { limit, clientTimeout }: BackPressureRules) {
    this.#res = res
    this.#source = source
    this.#limit = limit
    this.#stall = new StallWatch(res, clientTimeout, () => source.stalled())
  }

  /** So many bytes went to the response, which said whether it has room for more. */
  wrote(bytes: number, hasRoom: boolean): void {
    if (hasRoom) {
      this.#ahead = 0
      return
    }
    this.#ahead += bytes
    if (!this.#listening) this.#res.on('drain', this.#onDrain)
    this.#listening = true
    if (this.#paused || this.#ahead <= this.#limit) return
    this.#paused = true
    this.#source.pause()
    this.#stall.start()
  }

  /** The answer is over, or nobody takes it any more: the backend is not held back. */
  release(): void {
    if (this.#listening) this.#res.removeListener('drain', this.#onDrain)
    this.#listening = false
    this.#goOn()
  }

  readonly #onDrain = (): void => {
    this.#ahead = 0
    this.#goOn()
  }

  #goOn(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#stall.stop()
    this.#source.resume()
  }
}
