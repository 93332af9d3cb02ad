import { ResponseHeadParser } from '../cgi/response-head.ts'
import type { Connection } from '../client/connection.ts'
import { Deadline } from '../client/deadline.ts'
import { type EncodedRequest, encodeClientRequest } from '../client/encoded-request.ts'
import type { AnswerReceiver } from '../client/request.ts'
import type { CloseReason } from '../diagnostics.ts'
import { FastCgiError } from '../errors.ts'
import { checkParams, type HealthPage } from './check-params.ts'
import type { Health } from './health.ts'

/** How a backend is asked whether it is up; durations in milliseconds. */
export interface HealthCheckOptions extends HealthPage {
  /** From one check to the next. */
  readonly interval: number
  /** For a whole check, its connection included. */
  readonly timeout: number
}

/** Where checks get their connections. */
export interface ConnectionLender {
  /**
   * A new connection, if there is a place for one; null: the backend is as busy as it may be, or is not running. Never waits in
   * a queue, never rejects.
   */
  borrow(): Connection | null | Promise<Connection | null>
  checkIn(connection: Connection, reason: CloseReason): void
}

/** What a check is made with. */
export interface HealthCheckParts {
  readonly health: Health
  readonly connections: ConnectionLender
  /** As Math.random. */
  readonly random?: (() => number) | undefined
}

/** The share of a pause by which it may be longer or shorter, so that the checks of many gateways do not fall into step. */
const JITTER = 0.1

/**
 * Asks a backend again and again whether it is up, over connections that count as any other, and tells its {@link Health}. The
 * first time after a random part of the interval; while it is down at least every failTimeout.
 */
export class HealthCheck {
  readonly #options: HealthCheckOptions
  readonly #health: Health
  readonly #connections: ConnectionLender
  readonly #random: () => number
  readonly #request: EncodedRequest
  #timer: NodeJS.Timeout | null = null
  #closed = false
  /** Ends the check under way without a verdict. */
  #giveUp: (() => void) | null = null

  constructor(options: HealthCheckOptions, { health, connections, random = Math.random }: HealthCheckParts) {
    this.#options = options
    this.#health = health
    this.#connections = connections
    this.#random = random
    this.#request = encodeClientRequest({ params: checkParams(options), stdin: null, keepConnection: false })
  }

  /** Call it once. */
  start(): void {
    this.#pause(this.#random() * this.#options.interval)
  }

  /** The backend has gone down: a long interval is not waited for. */
  hasten(): void {
    if (this.#timer !== null) this.#pauseAsUsual()
  }

  /** No check from now on; one under way is given up. */
  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#giveUp?.()
  }

  #pause(milliseconds: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    // Nobody is kept from ending by the next check.
    this.#timer = setTimeout(this.#next, milliseconds).unref()
  }

  #pauseAsUsual(): void {
    const { interval } = this.#options
    const pause = this.#health.up ? interval : Math.min(interval, this.#health.failTimeout)
    this.#pause(pause * (1 + JITTER * (2 * this.#random() - 1)))
  }

  readonly #next = async (): Promise<void> => {
    this.#timer = null
    const connection = await this.#connections.borrow()
    if (connection !== null) await this.#ask(connection)
    if (!this.#closed) this.#pauseAsUsual()
  }

  async #ask(connection: Connection): Promise<void> {
    if (this.#closed) return this.#connections.checkIn(connection, 'shutdown')
    const { generation } = this.#health
    const outcome = await this.#outcome(connection)
    this.#connections.checkIn(connection, outcome === 'given up' ? 'shutdown' : 'not kept')
    if (outcome !== 'given up') this.#health.noteCheck(outcome, generation)
  }

  /** Null: answered well; an error: why not. */
  async #outcome(connection: Connection): Promise<FastCgiError | null | 'given up'> {
    const { timeout } = this.#options
    const deadline = new Deadline()
    const outcome = await new Promise<FastCgiError | null | 'given up'>((resolve) => {
      const times = { connectTimeout: timeout, sendTimeout: 0, readTimeout: 0 }
      this.#giveUp = () => resolve('given up')
      connection.send(this.#request, times, new CheckAnswer(resolve))
      deadline.arm(timeout, () => resolve(outOfTime(timeout)))
    })
    this.#giveUp = null
    deadline.clear()
    if (outcome !== null) connection.abort()
    return outcome
  }
}

/** Reads the status of an answer and drops its body. */
class CheckAnswer implements AnswerReceiver {
  readonly #head = new ResponseHeadParser()
  readonly #settle: (error: FastCgiError | null) => void
  #status: number | null = null

  constructor(settle: (error: FastCgiError | null) => void) {
    this.#settle = settle
  }

  stdout(content: Buffer): void {
    for (let rest = content; this.#status === null; ) {
      const parsed = this.#head.push(rest)
      if (parsed === null) return
      // After early hints comes the head proper.
      if (parsed.head.status === 103) rest = parsed.rest
      else this.#status = parsed.head.status
    }
  }

  stderr(): void {
    // The script's own affair: its log is the backend's.
  }

  flush(): void {
    // Nothing is held back.
  }

  end(): void {
    if (this.#status === null) throw this.#head.unfinished()
    this.#settle(this.#status < 400 ? null : badStatus(this.#status))
  }

  fail(error: FastCgiError): void {
    this.#settle(error)
  }
}

function badStatus(status: number): FastCgiError {
  const hint =
    status === 404 ? ': is it the path that the backend knows (ping.path of php-fpm, or the script there)?' : ''
  const detail = `The health check was answered with the status ${status}, only 200 to 399 is up${hint}`
  return new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail })
}

function outOfTime(timeout: number): FastCgiError {
  const detail = `The health check was not answered within ${timeout} ms (its timeout)`
  return new FastCgiError('ERR_FCGI_TIMEOUT', { detail })
}
