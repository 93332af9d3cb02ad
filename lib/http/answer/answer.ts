import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AnswerSink } from '../../backend/answer-sink.ts'
import type { Exchange } from '../../backend/exchange.ts'
import { FastCgiError } from '../../errors.ts'
import type { EndRequestBody } from '../../protocol/bodies.ts'
import { describeRequest, escapeLog, type Log, type LoggedRequest } from '../log.ts'
import type { RequestTrace } from '../trace.ts'
import type { AnswerSource } from './back-pressure.ts'
import { type ResponseRules, ResponseWriter } from './response.ts'
import { StallWatch, unsentBytes } from './stall-watch.ts'
import { StderrLog } from './stderr-log.ts'

/** Where an answer goes. */
export interface AnswerOptions {
  readonly request: LoggedRequest & { readonly script: string }
  readonly res: ServerResponse<IncomingMessage>
  readonly rules: ResponseRules
  readonly log: Log | null
  readonly trace: RequestTrace
  readonly client: {
    /** Closes the connection of a client that was waited for in vain. */
    giveUp(detail: string): void
  }
}

/** The answer of an exchange on its way: FCGI_STDOUT to the client, FCGI_STDERR to the log. */
export class Answer implements AnswerSink, AnswerSource {
  readonly #writer: ResponseWriter
  /** Made for the first byte of it: most scripts write none. */
  #stderr: StderrLog | null = null
  readonly #options: AnswerOptions
  #exchange: Exchange | null = null
  #intercepted: FastCgiError | null = null
  #headTold = false

  constructor(options: AnswerOptions) {
    const { request, res, rules } = options
    this.#options = options
    const { method } = request
    this.#writer = new ResponseWriter({ method, res, rules, source: this, warn: (message) => this.#warn(message) })
  }

  /** The exchange that is held back where the client is slow. */
  from(exchange: Exchange): void {
    this.#exchange = exchange
  }

  get reusable(): boolean {
    return this.#writer.reusable
  }

  /** The path and query of a local redirect, which is still to be served. */
  get localRedirect(): string | null {
    return this.#writer.localRedirect
  }

  stdout(content: Buffer): void {
    try {
      this.#writer.write(content)
    } catch (error) {
      // The script's page is not wanted, but its exchange is in order: it is drained, its connection may be kept.
      if (!(error instanceof FastCgiError) || error.code !== 'ERR_FCGI_INTERCEPTED') throw error
      this.#intercepted = error
    }
  }

  stderr(content: Buffer): void {
    const { log, request } = this.#options
    this.#stderr ??= new StderrLog(log, request)
    this.#stderr.write(content)
  }

  flush(): void {
    this.#writer.flush()
    if (this.#writer.isUnwanted) this.#exchange?.cancel(new FastCgiError('ERR_FCGI_CLIENT_GONE'))
    else this.#tellHead()
  }

  end({ appStatus }: EndRequestBody): void {
    if (appStatus !== 0) this.#warn(`the script ended with the exit status ${appStatus | 0}`)
    this.#writer.end()
    this.#tellHead()
    this.#awaitClient()
  }

  /** The script's error status belongs to the host's error handling (`interceptErrors`): nothing of its page was sent. */
  get intercepted(): FastCgiError | null {
    return this.#intercepted
  }

  /** Nothing more comes, whole or not. */
  close(): void {
    this.#stderr?.end()
    this.#writer.discard()
  }

  pause(): void {
    this.#exchange?.pause()
  }

  resume(): void {
    this.#exchange?.resume()
  }

  stalled(): void {
    const { client, rules } = this.#options
    client.giveUp(`The client took nothing more of its answer for ${rules.clientTimeout} ms (clientTimeout)`)
  }

  /** The backend is free; what is still ahead of a client that takes nothing would stay in memory for as long as it likes. */
  #awaitClient(): void {
    const { res, rules, client } = this.#options
    if (res.writableFinished || rules.clientTimeout === 0 || !(unsentBytes(res) > 0)) return
    const detail = `the client took nothing of the rest of its answer for ${rules.clientTimeout} ms (clientTimeout)`
    new StallWatch(res, rules.clientTimeout, () => {
      this.#warn(detail)
      client.giveUp(detail)
    }).startUntilOut()
  }

  #tellHead(): void {
    if (this.#headTold || !this.#writer.begun) return
    this.#headTold = true
    this.#options.trace.head(this.#options.res.statusCode)
  }

  #warn(message: string): void {
    const { request, log } = this.#options
    log?.warn(`${describeRequest(request)} (${escapeLog(request.script)}): ${escapeLog(message)}`)
  }
}
