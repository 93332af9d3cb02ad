import type { Socket } from 'node:net'
import { FastCgiError } from '../errors.ts'
import { decodeEndRequestBody, type EndRequestBody } from '../protocol/bodies.ts'
import { FCGI_CANT_MPX_CONN, FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE, FCGI_UNKNOWN_ROLE } from '../protocol/constants.ts'
import { stampRequestId } from '../protocol/encoder.ts'
import { Deadline } from './deadline.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { type StdinListener, StdinSender } from './stdin.ts'

/** How long a request may wait; milliseconds, 0 for ever. */
export interface RequestTimeouts {
  readonly connectTimeout: number
  /** Longest wait for the socket to take more of the request. */
  readonly sendTimeout: number
  /** Longest wait for more of the answer. */
  readonly readTimeout: number
}

/**
 * Takes the answer. What a method throws fails the request with it. `end` or `fail` is the last call, once; where `end` throws,
 * `fail` follows.
 */
export interface AnswerReceiver {
  /** Some bytes of FCGI_STDOUT, valid for ever. */
  stdout(content: Buffer): void
  /** Some bytes of FCGI_STDERR. */
  stderr(content: Buffer): void
  /** All that one read of the socket brought has been handed over. */
  flush(): void
  /** END_REQUEST has come. */
  end(body: EndRequestBody): void
  fail(error: FastCgiError): void
}

type State = 'begun' | 'sending' | 'sent' | 'ended'

/** One request on one connection: `begun → sending → sent → ended`, where any may go to `ended`. */
export class ClientRequest implements StdinListener {
  readonly #encoded: EncodedRequest
  readonly #timeouts: RequestTimeouts
  readonly #receiver: AnswerReceiver
  readonly #broken: (error: FastCgiError) => void
  readonly #deadline: Deadline = new Deadline()
  #state: State = 'begun'
  #socket: Socket | null = null
  #sender: StdinSender | null = null
  #endRequest: EndRequestBody | null = null
  #answered = false
  #hasOutput = false
  #sent = false
  #paused = false

  /** `broken` is called when a deadline passes or the body fails: the connection then fails the request. */
  constructor(
    request: { readonly encoded: EncodedRequest; readonly timeouts: RequestTimeouts },
    receiver: AnswerReceiver,
    broken: (error: FastCgiError) => void,
  ) {
    this.#encoded = request.encoded
    this.#timeouts = request.timeouts
    this.#receiver = receiver
    this.#broken = broken
  }

  /** Anything was handed to the socket. */
  get wasBegun(): boolean {
    return this.#socket !== null
  }

  /** A byte of the answer has come. */
  get wasAnswered(): boolean {
    return this.#answered
  }

  get hasEnded(): boolean {
    return this.#state === 'ended'
  }

  /** All of the request has left the socket and END_REQUEST has come. */
  get wasExchanged(): boolean {
    return this.#sent && this.#endRequest !== null && this.#socket?.writableLength === 0
  }

  get endRequest(): EndRequestBody | null {
    return this.#endRequest
  }

  /** Writes the request under an id, or its beginning where a long body follows. */
  begin(socket: Socket, requestId: number): void {
    const { opening, stdin } = this.#encoded
    this.#socket = socket
    const moving = socket.write(stampRequestId(opening, requestId))
    if (stdin === null) return this.stdinWritten()
    this.#state = 'sending'
    this.#sender = new StdinSender(socket, { requestId, length: stdin.length }, this)
    if (stdin.content !== null) this.#sender.sendWhole(stdin.content)
    else this.#sender.sendFrom(stdin.open())
    if (!moving) this.stdinBlocked()
  }

  stdinBlocked(): void {
    this.#deadline.arm(this.#timeouts.sendTimeout, () => this.#sendTimedOut())
  }

  stdinWritten(): void {
    if (this.#state === 'ended') return
    this.#state = 'sent'
    this.#sent = true
    if (this.#socket?.writableNeedDrain === true) this.stdinBlocked()
    else this.#awaitAnswer()
  }

  stdinFailed(error: FastCgiError): void {
    this.#broken(error)
  }

  /** Some bytes of the answer have come from the socket. */
  heard(): void {
    this.#answered = true
    this.#deadline.refresh()
  }

  stdout(content: Buffer): void {
    this.#hasOutput = true
    this.#receiver.stdout(content)
  }

  stderr(content: Buffer): void {
    this.#receiver.stderr(content)
  }

  /** Takes the content of END_REQUEST. Throws where it says that the request was not served. */
  ending(content: Buffer): void {
    const body = decodeEndRequestBody(content)
    refuseUnserved(body, this.#hasOutput)
    this.#endRequest = body
  }

  flush(): void {
    this.#receiver.flush()
  }

  /** The answer is whole: the last word to the receiver, if it accepts it. */
  finish(body: EndRequestBody): void {
    this.abandon()
    this.#receiver.end(body)
  }

  fail(error: FastCgiError): void {
    this.abandon()
    this.#receiver.fail(error)
  }

  /** The receiver takes no more for now: waiting for it is not the backend's fault. */
  pause(): void {
    if (this.#state === 'ended') return
    this.#paused = true
    this.#socket?.pause()
    if (this.#state === 'sent') this.#deadline.clear()
  }

  resume(): void {
    if (!this.#paused || this.#state === 'ended') return
    this.#paused = false
    this.#socket?.resume()
    if (this.#state === 'sent') this.#awaitAnswer()
  }

  /** The socket takes more again. */
  drained(): void {
    if (this.#state === 'ended') return
    this.#deadline.clear()
    if (this.#state === 'sent') this.#awaitAnswer()
    else this.#sender?.resume()
  }

  #awaitAnswer(): void {
    if (!this.#paused) this.#deadline.arm(this.#timeouts.readTimeout, () => this.#readTimedOut())
  }

  /** Ends without a word to the receiver. */
  abandon(): void {
    this.#state = 'ended'
    this.#deadline.clear()
    this.#sender?.stop()
    if (this.#paused) this.#socket?.resume()
  }

  #sendTimedOut(): void {
    const detail = `The backend took nothing of the request body for ${this.#timeouts.sendTimeout} ms (sendTimeout)`
    this.#broken(new FastCgiError('ERR_FCGI_SEND_TIMEOUT', { detail }))
  }

  #readTimedOut(): void {
    const detail = `The backend sent nothing for ${this.#timeouts.readTimeout} ms (readTimeout): is the script slow or stuck?`
    this.#broken(new FastCgiError('ERR_FCGI_READ_TIMEOUT', { detail }))
  }
}

/** FastCGI 1.0 section 5.5: a request whose protocolStatus is not REQUEST_COMPLETE was rejected, its script has not run. */
function refuseUnserved({ protocolStatus }: EndRequestBody, hasOutput: boolean): void {
  if (hasOutput && protocolStatus !== FCGI_REQUEST_COMPLETE) {
    const detail = `END_REQUEST has the protocolStatus ${protocolStatus} although the request was served: its STDOUT came before`
    throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail })
  }
  switch (protocolStatus) {
    case FCGI_REQUEST_COMPLETE:
      return
    case FCGI_OVERLOADED:
      throw new FastCgiError('ERR_FCGI_OVERLOADED', { detail: 'The backend ended the request with FCGI_OVERLOADED' })
    case FCGI_CANT_MPX_CONN:
      throw new FastCgiError('ERR_FCGI_OVERLOADED', { detail: 'The backend ended the request with FCGI_CANT_MPX_CONN' })
    case FCGI_UNKNOWN_ROLE:
      throw new FastCgiError('ERR_FCGI_UNKNOWN_ROLE', {
        detail: 'The backend ended the request with FCGI_UNKNOWN_ROLE',
      })
    default:
      throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail: `END_REQUEST has the protocolStatus ${protocolStatus}` })
  }
}
