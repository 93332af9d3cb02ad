import { Connection } from '../client/connection.ts'
import type { AnswerReceiver, ClientRequest } from '../client/request.ts'
import type { CloseReason } from '../diagnostics.ts'
import { asFastCgiError, type FastCgiError } from '../errors.ts'
import type { EndRequestBody } from '../protocol/bodies.ts'
import type { AnswerSink } from './answer-sink.ts'
import type { Backend } from './backend.ts'
import type { ExchangeOptions } from './exchange-options.ts'
import type { TakenPlace } from './group.ts'
import { type AttemptProgress, mayRunTwice } from './retry.ts'
import type { FailedAttempt } from './verdict.ts'

/** How an attempt has failed. */
export interface AttemptFailure extends AttemptProgress {
  readonly backend: Backend
  /** The backend is one of ours and could not be started: another attempt on it would not help. */
  readonly unstarted: boolean
}

/** What an attempt needs of its exchange. */
export interface AttemptOwner {
  readonly options: ExchangeOptions
  readonly sink: AnswerSink
  /** Aborted when the exchange is cancelled. */
  readonly signal: AbortSignal
  /** The attempt is over and its place given back; null: the sink has the whole answer. */
  attemptEnded(failure: AttemptFailure | null): void
}

/**
 * One attempt of an exchange: a request on a place that was taken, which the attempt gives back. `stdout` to `fail` are the connection's words;
 * `end` and `fail`, or `cancel`, settle the request, and settling is reported to the exchange.
 */
export class Attempt implements AnswerReceiver {
  readonly #place: TakenPlace
  readonly #owner: AttemptOwner
  #cancelled: FastCgiError | null = null
  #connection: Connection | null = null
  #request: ClientRequest | null = null
  /** The connection had served a request before. */
  #kept = false
  #began = 0
  /** Of a probe: no byte of output has come yet, which would say that the backend is back. */
  #probing = false

  constructor(place: TakenPlace, owner: AttemptOwner) {
    this.#place = place
    this.#owner = owner
  }

  /** Goes on at once where nothing has to be waited for. `distrustKept`: never over a kept connection. */
  begin(distrustKept: boolean): void {
    if (this.#cancelled !== null) return this.#leave(this.#cancelled)
    if (this.#place.backend.running) this.#connect(distrustKept)
    else void this.#startBackend(distrustKept)
  }

  /** Ends the attempt; a request that runs is ended by ABORT_REQUEST and the end of its connection. */
  cancel(error: FastCgiError): void {
    this.#cancelled = error
    this.#connection?.abort()
    this.#settle(error)
  }

  pause(): void {
    this.#request?.pause()
  }

  resume(): void {
    this.#request?.resume()
  }

  stdout(content: Buffer): void {
    if (this.#probing) this.#endProbe()
    this.#owner.sink.stdout(content)
  }

  stderr(content: Buffer): void {
    this.#owner.sink.stderr(content)
  }

  flush(): void {
    this.#owner.sink.flush()
  }

  end(body: EndRequestBody): void {
    this.#owner.sink.end(body)
    this.#settle(null)
  }

  fail(error: FastCgiError): void {
    this.#settle(error)
  }

  async #startBackend(distrustKept: boolean): Promise<void> {
    const { backend } = this.#place
    try {
      await backend.start(this.#owner.signal)
    } catch (thrown) {
      const error = asFastCgiError(thrown)
      this.#began = performance.now()
      this.#tellFailure({ error, answered: false, kept: false, ended: false })
      backend.pool.leave()
      return this.#report({ error, begun: false, answered: false, unstarted: true })
    }
    this.#connect(distrustKept)
  }

  /**
   * What may not run twice and would not keep its connection anyway goes out on a new one, in the stead of a kept one: that might be
   * closed by the backend in this moment, as reloads and `pm.max_requests` do, and the request would be lost.
   */
  #connect(distrustKept: boolean): void {
    const { backend, probe } = this.#place
    const { method, reuse } = this.#owner.options
    const { pool } = backend
    if (!reuse && pool.idle > 0 && !mayRunTwice(method)) return this.#send(pool.replace())
    const connection = pool.connect(distrustKept || probe)
    if (connection instanceof Connection) this.#send(connection)
    else void connection.then((made) => this.#send(made))
  }

  #send(connection: Connection): void {
    const { backend, generation, probe } = this.#place
    if (this.#cancelled !== null) {
      backend.health.abandonProbe(generation)
      backend.pool.checkIn(connection, 'aborted')
      return this.#report({ error: this.#cancelled, begun: false, answered: false })
    }
    const { encoded, limits, request } = this.#owner.options
    this.#kept = connection.requests > 0
    this.#probing = probe
    this.#began = performance.now()
    backend.noteAttempt(request)
    this.#connection = connection
    this.#request = connection.send(encoded, limits, this)
  }

  /** Gives the place back as it was taken. */
  #leave(error: FastCgiError): void {
    const { backend, generation } = this.#place
    backend.health.abandonProbe(generation)
    backend.pool.leave()
    this.#report({ error, begun: false, answered: false })
  }

  /** The request that is under way is over. */
  #settle(error: FastCgiError | null): void {
    const request = this.#request
    const connection = this.#connection
    if (request === null || connection === null) return
    this.#request = null
    this.#connection = null
    this.#probing = false
    const { wasBegun: begun, wasAnswered: answered, endRequest } = request
    // Told before the place is free: a backend that goes down with this must not be given the next request.
    if (error === null) this.#tellAnswer()
    else this.#tellFailure({ error, answered, kept: this.#kept, ended: endRequest !== null })
    this.#place.backend.pool.checkIn(connection, this.#verdict(error))
    if (error === null) this.#owner.attemptEnded(null)
    else this.#report({ error, begun, answered })
  }

  /** Tells the backend that it has answered. */
  #tellAnswer(): void {
    const { backend, generation } = this.#place
    backend.noteAnswer(performance.now() - this.#began, generation)
  }

  /** Tells the backend how the request has failed. */
  #tellFailure(failure: FailedAttempt): void {
    const { backend, generation } = this.#place
    if (this.#cancelled !== null) backend.health.abandonProbe(generation)
    else backend.noteFailure({ ...failure, took: performance.now() - this.#began }, generation)
  }

  #endProbe(): void {
    const { backend, generation } = this.#place
    this.#probing = false
    backend.health.noteAnswer(generation)
  }

  /** Why the connection cannot be kept; null: it can, as far as the request is concerned. */
  #verdict(error: FastCgiError | null): CloseReason | null {
    if (error !== null) return 'failed'
    return this.#owner.options.reuse && this.#owner.sink.reusable ? null : 'not kept'
  }

  /** Tells the exchange how the attempt has failed, once its place is given back. */
  #report(failure: Pick<AttemptFailure, 'error' | 'begun' | 'answered'> & { readonly unstarted?: boolean }): void {
    const { backend } = this.#place
    const restarted = failure.unstarted === true || backend.restarts
    this.#owner.attemptEnded({ unstarted: false, backend, kept: this.#kept, restarted, ...failure })
  }
}
