import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from '../client/connection.ts'
import type { EncodedRequest } from '../client/encoded-request.ts'
import type { AnswerReceiver, ClientRequest, RequestTimeouts } from '../client/request.ts'
import { type CloseReason, channels } from '../diagnostics.ts'
import { FastCgiError } from '../errors.ts'
import type { EndRequestBody } from '../protocol/bodies.ts'
import type { Backend } from './backend.ts'
import type { BackendGroup } from './group.ts'
import { type AttemptProgress, maySendAgain, type RequestNature } from './retry.ts'
import type { WaitLimits } from './wait-queue.ts'

/** A request and how patiently it is put; milliseconds. */
export interface ExchangeOptions extends RequestNature, RequestTimeouts, WaitLimits {
  readonly encoded: EncodedRequest
  /** Its connection may be kept afterwards. */
  readonly reuse: boolean
  /** Other attempts. */
  readonly retries: number
  /** For everything, waiting and repetitions included; 0: none. */
  readonly timeout: number
}

/** Takes the answer of whichever attempt gets one. What a method throws fails the exchange with it. */
export interface AnswerSink {
  stdout(content: Buffer): void
  stderr(content: Buffer): void
  flush(): void
  end(body: EndRequestBody): void
  /** The answer was well-formed: the connection may be trusted with another request. */
  readonly reusable: boolean
}

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
      for (let attempt = 0; ; attempt += 1) {
        const failure = await this.#attempt(this.#group.choose(attempt))
        if (failure === null) return
        await this.#prepareRepetition(failure, attempt)
      }
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

  /** Null: answered. Else how far it went. */
  async #attempt(backend: Backend): Promise<AttemptProgress | null> {
    if (this.#cancelled !== null) throw this.#cancelled
    if (!backend.running) {
      const error = await this.#start(backend)
      if (error !== null) return { error, begun: false, answered: false, kept: false, restarted: true }
    }
    const { encoded, queueTimeout, queueLimit } = this.#options
    const limits = { queueTimeout, queueLimit, fresh: this.#distrustKept }
    const connection = await backend.pool.checkOut(limits, () => this.#signal)
    if (this.#cancelled !== null) {
      backend.pool.checkIn(connection, 'aborted')
      throw this.#cancelled
    }
    const kept = connection.requests > 0
    const began = performance.now()
    const error = await new Promise<FastCgiError | null>((resolve) => {
      this.#settle = resolve
      this.#connection = connection
      this.#request = connection.send(encoded, this.#options, this)
    })
    const { wasBegun: begun = false, wasAnswered: answered = false } = this.#request ?? {}
    this.#settle = null
    this.#connection = null
    this.#request = null
    backend.pool.checkIn(connection, this.#verdict(error))
    if (error === null) {
      backend.noteAnswer(performance.now() - began)
      return null
    }
    return { error, begun, answered, kept, restarted: backend.restarts }
  }

  /** Null: it runs. An error where another server may do; thrown where there is none, as a second attempt would not help. */
  async #start(backend: Backend): Promise<FastCgiError | null> {
    try {
      await backend.start(this.#signal)
      return null
    } catch (error) {
      if (this.#cancelled !== null) throw this.#cancelled
      if (error instanceof FastCgiError && this.#group.hasAlternative) return error
      backend.noteFailure()
      throw error
    }
  }

  /** Why the connection cannot be kept; null: it can, as far as the request is concerned. */
  #verdict(error: FastCgiError | null): CloseReason | null {
    if (error !== null) return 'failed'
    return this.#options.reuse && this.#sink.reusable ? null : 'not kept'
  }

  /** Throws the failure where it is the last word. */
  async #prepareRepetition(failure: AttemptProgress, attempt: number): Promise<void> {
    const { error, kept, begun } = failure
    const backend = this.#group.choose(attempt)
    if (this.#cancelled !== null) throw this.#cancelled
    if (isBackendsFault(error)) backend.noteFailure()
    if (attempt >= this.#options.retries || !maySendAgain(failure, this.#options)) throw error
    if (channels.backendRetry.hasSubscribers) {
      channels.backendRetry.publish({ server: backend.name, attempt: attempt + 1, error })
    }
    this.#distrustKept = kept && begun
    if (this.#distrustKept || this.#group.hasAlternative) return
    if (error.code === 'ERR_FCGI_CONNECT_TIMEOUT') throw error // waited for long enough
    await this.#pauseUnlessCancelled()
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

/** Below 502 are the client's mistakes and our own. */
function isBackendsFault({ status }: FastCgiError): boolean {
  return status >= 502
}

function exchangeTimeout(timeout: number): FastCgiError {
  const detail = `The exchange was not over after ${timeout} ms (timeout)`
  return new FastCgiError('ERR_FCGI_TIMEOUT', { detail })
}
