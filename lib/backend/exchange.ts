import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from '../client/connection.ts'
import type { AnswerReceiver, ClientRequest } from '../client/request.ts'
import { type CloseReason, channels } from '../diagnostics.ts'
import { asFastCgiError, FastCgiError } from '../errors.ts'
import type { EndRequestBody } from '../protocol/bodies.ts'
import type { AnswerSink } from './answer-sink.ts'
import type { Backend } from './backend.ts'
import type { ExchangeOptions } from './exchange-options.ts'
import type { BackendGroup, TakenPlace } from './group.ts'
import { type AttemptProgress, mayRunTwice, maySendAgain } from './retry.ts'
import type { FailedAttempt } from './verdict.ts'

/** Before the first attempt. */
const NONE: readonly Backend[] = []

/** How far an attempt went on a backend that does not even run. */
const NOT_BEGUN = { begun: false, answered: false, kept: false, restarted: true }

/** What became of an attempt. */
type Outcome = Omit<FailedAttempt, 'error'> & { readonly error: FastCgiError | null }

/** Before the only server is tried again, so that one that is being restarted can come back; milliseconds. */
const PAUSE_BEFORE_SAME_SERVER = 100

/** One request on its way through a group of backends, until one attempt brings an answer or none is allowed any more. */
export class Exchange implements AnswerReceiver {
  readonly #group: BackendGroup
  readonly #options: ExchangeOptions
  readonly #sink: AnswerSink
  #abortController: AbortController | null = null
  #cancelled: FastCgiError | null = null
  #connection: Connection | null = null
  #request: ClientRequest | null = null
  /** A probe whose first byte of output will say that the backend is back. */
  #probe: TakenPlace | null = null
  /** Where attempts have failed. */
  #tried: readonly Backend[] = NONE
  /** Why the last attempt has. */
  #failure: FastCgiError | null = null
  #settle: ((error: FastCgiError | null) => void) | null = null
  /** A kept connection turned out dead: the others may be as well. */
  #distrustKept = false

  constructor(group: BackendGroup, options: ExchangeOptions, sink: AnswerSink) {
    this.#group = group
    this.#options = options
    this.#sink = sink
  }

  /**
   * Resolves when the sink has the whole answer.
   * @throws FastCgiError why there is none, or what {@link cancel} was given
   */
  async run(): Promise<void> {
    const { timeout } = this.#options
    const timer = timeout > 0 ? setTimeout(() => this.cancel(exchangeTimeout(timeout)), timeout) : null
    try {
      for (let attempt = 0; !(await this.#attempt(attempt)); attempt += 1);
    } finally {
      if (timer !== null) clearTimeout(timer)
    }
  }

  /** Ends the exchange with an error: out of the queue, or by ABORT_REQUEST and the end of the connection. */
  cancel(error: FastCgiError): void {
    if (this.#cancelled !== null) return
    this.#cancelled = error
    this.#abortController?.abort(error)
    this.#connection?.abort()
    this.#settle?.(error)
  }

  /** Reads no more of the answer for now. */
  pause(): void {
    this.#request?.pause()
  }

  resume(): void {
    this.#request?.resume()
  }

  stdout(content: Buffer): void {
    if (this.#probe !== null) this.#endProbe(this.#probe)
    this.#sink.stdout(content)
  }

  stderr(content: Buffer): void {
    this.#sink.stderr(content)
  }

  flush(): void {
    this.#sink.flush()
  }

  end(body: EndRequestBody): void {
    this.#sink.end(body)
    this.#settle?.(null)
  }

  fail(error: FastCgiError): void {
    this.#settle?.(error)
  }

  /** True: answered; false: another attempt is to be made. */
  async #attempt(attempt: number): Promise<boolean> {
    if (this.#cancelled !== null) throw this.#cancelled
    const preparing = this.#group.prepare(() => ({ ...this.#options, signal: this.#signal }))
    if (preparing !== null) await preparing
    const place = this.#takePlace() ?? (await this.#waitForPlace())
    const { backend } = place
    if (this.#cancelled === null && !backend.running) {
      const error = await this.#start(place)
      if (error !== null) return this.#repeat({ ...NOT_BEGUN, error }, backend, attempt)
    }
    const connection = await this.#connect(place)
    if (this.#cancelled !== null) {
      backend.health.abandonProbe(place.generation)
      backend.pool.checkIn(connection, 'aborted')
      throw this.#cancelled
    }
    const failure = await this.#send(connection, place)
    return failure === null || this.#repeat(failure, backend, attempt)
  }

  /** Null: all are full. Where a repetition finds none that is up, the failure that led to it says more. */
  #takePlace(): TakenPlace | null {
    try {
      return this.#group.take({ client: this.#options.client, tried: this.#tried })
    } catch (error) {
      throw this.#failure ?? error
    }
  }

  #waitForPlace(): Promise<TakenPlace> {
    const { request, client, queueTimeout, queueLimit } = this.#options
    return this.#group.wait({ request, client, queueTimeout, queueLimit, tried: this.#tried }, this.#signal)
  }

  /**
   * What may not run twice and would not keep its connection anyway goes out on a new one, in the stead of a kept one: that might be
   * closed by the backend in this moment, as reloads and `pm.max_requests` do, and the request would be lost.
   */
  #connect({ backend: { pool }, probe }: TakenPlace): Connection | Promise<Connection> {
    const { method, reuse } = this.#options
    if (!reuse && pool.idle > 0 && !mayRunTwice(method)) return pool.replace()
    return pool.connect(this.#distrustKept || probe)
  }

  /** Null: answered. Else how far it went. */
  #send(connection: Connection, place: TakenPlace): Promise<AttemptProgress | null> {
    const kept = connection.requests > 0
    const began = performance.now()
    if (place.probe) this.#probe = place
    place.backend.noteAttempt(this.#options.request)
    return new Promise((resolve) => {
      this.#settle = (error) => {
        const { wasBegun: begun = false, wasAnswered: answered = false, endRequest = null } = this.#request ?? {}
        this.#settle = null
        this.#connection = null
        this.#request = null
        this.#probe = null
        // Told before the place is free: a backend that goes down with this must not be given the next request.
        this.#tell({ error, answered, kept, ended: endRequest !== null }, place, began)
        place.backend.pool.checkIn(connection, this.#verdict(error))
        resolve(error === null ? null : { error, begun, answered, kept, restarted: place.backend.restarts })
      }
      this.#connection = connection
      this.#request = connection.send(this.#options.encoded, this.#options, this)
    })
  }

  /** Tells the backend what became of the request that took the place. */
  #tell(outcome: Outcome, { backend, generation }: TakenPlace, began: number): void {
    const { error } = outcome
    if (error === null) backend.noteAnswer(performance.now() - began, generation)
    else if (this.#cancelled !== null) backend.health.abandonProbe(generation)
    else backend.noteFailure({ ...outcome, error, took: performance.now() - began }, generation)
  }

  #endProbe({ backend, generation }: TakenPlace): void {
    this.#probe = null
    backend.health.noteAnswer(generation)
  }

  /** Null: it runs. Else why it does not, with the place given back; thrown where there is no other: a second attempt would not help. */
  async #start(place: TakenPlace): Promise<FastCgiError | null> {
    const { backend } = place
    try {
      await backend.start(this.#signal)
      return null
    } catch (thrown) {
      const error = asFastCgiError(thrown)
      this.#tell({ error, answered: false, kept: false, ended: false }, place, performance.now())
      backend.pool.leave()
      if (this.#cancelled === null && this.#group.hasOther([...this.#tried, backend])) return error
      throw this.#cancelled ?? error
    }
  }

  /** Why the connection cannot be kept; null: it can, as far as the request is concerned. */
  #verdict(error: FastCgiError | null): CloseReason | null {
    if (error !== null) return 'failed'
    return this.#options.reuse && this.#sink.reusable ? null : 'not kept'
  }

  /** False: another attempt is to be made. Throws the failure where it is the last word. */
  async #repeat(failure: AttemptProgress, backend: Backend, attempt: number): Promise<false> {
    if (this.#cancelled !== null) throw this.#cancelled
    const { error, kept, begun } = failure
    if (attempt >= this.#options.retries || !maySendAgain(failure, this.#options)) throw error
    this.#tried = [...this.#tried, backend]
    this.#failure = error
    this.#distrustKept = kept && begun
    const isAtOnce = this.#distrustKept || this.#group.hasOther(this.#tried)
    if (!isAtOnce && error.code === 'ERR_FCGI_CONNECT_TIMEOUT') throw error // waited for long enough
    backend.noteRetry()
    if (channels.backendRetry.hasSubscribers) {
      const { request } = this.#options
      channels.backendRetry.publish({ request, server: backend.name, attempt: attempt + 1, error })
    }
    if (!isAtOnce) await this.#pauseUnlessCancelled()
    return false
  }

  async #pauseUnlessCancelled(): Promise<void> {
    try {
      await pause(PAUSE_BEFORE_SAME_SERVER, undefined, { signal: this.#signal })
    } catch (error) {
      throw this.#cancelled ?? error
    }
  }

  /** Made only where something waits on it. */
  get #signal(): AbortSignal {
    this.#abortController ??= new AbortController()
    return this.#abortController.signal
  }
}

function exchangeTimeout(timeout: number): FastCgiError {
  const detail = `The exchange was not over after ${timeout} ms (timeout)`
  return new FastCgiError('ERR_FCGI_TIMEOUT', { detail })
}
