import { setTimeout as delay } from 'node:timers/promises'
import { channels } from '../diagnostics.ts'
import { asFastCgiError, FastCgiError } from '../errors.ts'
import type { AnswerSink } from './answer-sink.ts'
import { Attempt, type AttemptFailure, type AttemptOwner } from './attempt.ts'
import type { Backend } from './backend.ts'
import type { ExchangeOptions } from './exchange-options.ts'
import type { BackendGroup, PlaceWish, TakenPlace } from './group.ts'
import { maySendAgain } from './retry.ts'

/** Before the first attempt. */
const NONE: readonly Backend[] = []

/** Before the only server is tried again, so that one that is being restarted can come back; milliseconds. */
const PAUSE_BEFORE_SAME_SERVER = 100

/** Told once how an exchange has ended; null: the sink has the whole answer. */
export type ExchangeDone = (error: FastCgiError | null) => void

/**
 * One request on its way through a group of backends, until one attempt brings an answer or none is allowed any more. What need not
 * wait goes on at once: with a promise for each step, a request cost 5 µs more.
 */
export class Exchange implements AttemptOwner {
  readonly options: ExchangeOptions
  readonly sink: AnswerSink
  readonly #group: BackendGroup
  #done: ExchangeDone | null = null
  #timer: NodeJS.Timeout | null = null
  #abortController: AbortController | null = null
  #cancelled: FastCgiError | null = null
  #attempts = 0
  /** While it waits for a place. */
  #wish: PlaceWish | null = null
  #attempt: Attempt | null = null
  /** Where attempts have failed. */
  #tried: readonly Backend[] = NONE
  /** Why the last attempt has. */
  #failure: FastCgiError | null = null
  /** A kept connection turned out dead: the others may be as well. */
  #distrustKept = false

  constructor(group: BackendGroup, options: ExchangeOptions, sink: AnswerSink) {
    this.#group = group
    this.options = options
    this.sink = sink
  }

  /** `done` hears why there is no answer, or what {@link cancel} was given, perhaps within this call; of an answer never within it. */
  run(done: ExchangeDone): void {
    const { timeout } = this.options.limits
    this.#done = done
    if (timeout > 0) this.#timer = setTimeout(() => this.cancel(exchangeTimeout(timeout)), timeout)
    this.#prepare()
  }

  /** Ends the exchange with an error: out of the queue, or by ABORT_REQUEST and the end of the connection. */
  cancel(error: FastCgiError): void {
    if (this.#cancelled !== null) return
    this.#cancelled = error
    this.#abortController?.abort(error)
    if (this.#wish !== null) this.#leaveQueue(this.#wish, error)
    this.#attempt?.cancel(error)
  }

  #leaveQueue(wish: PlaceWish, error: FastCgiError): void {
    this.#wish = null
    this.#group.leave(wish)
    this.#finish(error)
  }

  /** Reads no more of the answer for now. */
  pause(): void {
    this.#attempt?.pause()
  }

  resume(): void {
    this.#attempt?.resume()
  }

  /** Made only where something waits on it. */
  get signal(): AbortSignal {
    this.#abortController ??= new AbortController()
    return this.#abortController.signal
  }

  attemptEnded(failure: AttemptFailure | null): void {
    this.#attempt = null
    if (failure === null) this.#finish(null)
    else if (this.#cancelled !== null) this.#finish(this.#cancelled)
    else this.#repeatOrFail(failure)
  }

  /** Until it is known which backends there are. */
  #prepare(): void {
    const preparing = this.#group.prepare(() => ({ ...this.options.limits, signal: this.signal }))
    if (preparing === null) this.#findPlace()
    else this.#await(preparing, () => this.#findPlace())
  }

  #findPlace(): void {
    if (this.#cancelled !== null) return this.#finish(this.#cancelled)
    let place: TakenPlace | null
    try {
      place = this.#group.take({ client: this.options.client, tried: this.#tried })
    } catch (error) {
      // Where a repetition finds none that is up, the failure that led to it says more.
      return this.#finish(this.#failure ?? asFastCgiError(error))
    }
    if (place !== null) this.#usePlace(place)
    else this.#waitForPlace()
  }

  #waitForPlace(): void {
    const { request, client, limits } = this.options
    const { queueTimeout, queueLimit } = limits
    const admit = (place: TakenPlace): void => {
      this.#wish = null
      queueMicrotask(() => this.#usePlace(place))
    }
    const refuse = (error: FastCgiError): void => {
      this.#wish = null
      this.#finish(error)
    }
    this.#wish = { request, client, tried: this.#tried, queueTimeout, queueLimit, admit, refuse }
    this.#group.wait(this.#wish)
  }

  #usePlace(place: TakenPlace): void {
    const attempt = new Attempt(place, this)
    this.#attempt = attempt
    // The client may have left since its turn in the queue.
    if (this.#cancelled !== null) attempt.cancel(this.#cancelled)
    attempt.begin(this.#distrustKept)
  }

  /** Another attempt, if one is allowed. */
  #repeatOrFail(failure: AttemptFailure): void {
    const { error, backend, kept, begun, unstarted } = failure
    if (this.#attempts >= this.options.limits.retries || !maySendAgain(failure, this.options))
      return this.#finish(error)
    this.#tried = [...this.#tried, backend]
    this.#failure = error
    this.#distrustKept = kept && begun
    const isAtOnce = this.#distrustKept || this.#group.hasOther(this.#tried)
    // On the same one it would not help, or was waited for long enough.
    if (!isAtOnce && (unstarted || error.code === 'ERR_FCGI_CONNECT_TIMEOUT')) return this.#finish(error)
    this.#attempts += 1
    backend.noteRetry()
    this.#publishRetry(backend, error)
    if (isAtOnce) return this.#prepare()
    this.#await(delay(PAUSE_BEFORE_SAME_SERVER, undefined, { signal: this.signal }), () => this.#prepare())
  }

  #publishRetry({ name }: Backend, error: FastCgiError): void {
    if (!channels.backendRetry.hasSubscribers) return
    const { request } = this.options
    channels.backendRetry.publish({ request, server: name, attempt: this.#attempts, error })
  }

  /** Goes on when something has come; what goes wrong meanwhile ends the exchange. */
  #await<T>(promise: Promise<T>, next: (value: T) => void): void {
    promise.then(next).catch((error: unknown) => this.#finish(this.#cancelled ?? asFastCgiError(error)))
  }

  #finish(error: FastCgiError | null): void {
    const done = this.#done
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#done = null
    done?.(error)
  }
}

function exchangeTimeout(timeout: number): FastCgiError {
  const detail = `The exchange was not over after ${timeout} ms (timeout)`
  return new FastCgiError('ERR_FCGI_TIMEOUT', { detail })
}
