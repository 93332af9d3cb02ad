import type { Socket } from 'node:net'
import { type CloseReason, channels } from '../diagnostics.ts'
import { asFastCgiError, FastCgiError } from '../errors.ts'
import { FCGI_END_REQUEST, FCGI_STDERR, FCGI_STDOUT } from '../protocol/constants.ts'
import { RecordDecoder, type RecordHandler } from '../protocol/decoder.ts'
import { encodeAbortRequest } from '../protocol/encoder.ts'
import { type Address, formatAddress } from './address.ts'
import type { EncodedRequest } from './encoded-request.ts'
import { lostConnectionError } from './node-error.ts'
import { ReadBuffer } from './read-buffer.ts'
import { type AnswerReceiver, ClientRequest, type RequestTimeouts } from './request.ts'
import { openSocket } from './socket.ts'

/** Where a connection is in its life. */
export type ConnectionState = 'new' | 'opening' | 'idle' | 'busy' | 'closed'

const SUCCESSORS: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  new: ['opening', 'closed'],
  opening: ['busy', 'closed'],
  idle: ['busy', 'closed'],
  busy: ['idle', 'closed'],
  closed: [],
}

/** Request ids have 16 bits, and 0 is none (FastCGI 1.0 section 3.3). */
const HIGHEST_REQUEST_ID = 65_535

/** Told of a connection's turning points; its pool counts by them. */
export interface ConnectionObserver {
  /** It is being opened and has not answered yet: until then it may be waiting for a child of the backend. */
  connectionWaits(connection: Connection): void
  /** The first byte ever has come. */
  connectionAnswers(connection: Connection): void
  connectionClosed(connection: Connection): void
}

/**
 * One connection to a FastCGI application, for one request at a time. It opens with its first request and not before:
 * php-fpm drops a connection on which nothing comes for five seconds (php-fpm.md 6).
 */
export class Connection implements RecordHandler {
  readonly #address: Address
  readonly #observer: ConnectionObserver
  readonly #decoder: RecordDecoder = new RecordDecoder(this)
  #state: ConnectionState = 'new'
  #socket: Socket | null = null
  readonly #reading: ReadBuffer = new ReadBuffer((bytes) => this.#read(bytes))
  #cancelOpening: (() => void) | null = null
  #request: ClientRequest | null = null
  #requests = 0
  #heard = false
  /** Bytes came behind END_REQUEST: they are no part of any answer. */
  #surplus = false

  constructor(address: Address, observer: ConnectionObserver) {
    this.#address = address
    this.#observer = observer
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Requests that were begun on it. */
  get requests(): number {
    return this.#requests
  }

  /**
   * The id of the running request. There is never more than one on a connection (few applications multiplex, php-fpm.md 13), but each
   * has its own: what comes late for an earlier one must not pass for its answer.
   */
  get #requestId(): number {
    return ((this.#requests - 1) % HIGHEST_REQUEST_ID) + 1
  }

  /** It can take a request. */
  get usable(): boolean {
    return this.#state === 'idle' || this.#state === 'new'
  }

  /**
   * Sends a request; the receiver gets its answer, never within this call. When it has ended, {@link release} or {@link close}
   * the connection: the caller owns it until then.
   */
  send(encoded: EncodedRequest, timeouts: RequestTimeouts, receiver: AnswerReceiver): ClientRequest {
    const request = new ClientRequest({ encoded, timeouts }, receiver, this.#broken)
    this.#request = request
    this.#requests += 1
    if (this.#socket !== null) this.#begin(request, this.#socket)
    else this.#open(request, timeouts.connectTimeout)
    return request
  }

  /** True when nothing of the ended request can reach a next one: all sent, END_REQUEST the last byte read. */
  get clean(): boolean {
    if (this.#state !== 'busy' || this.#request?.wasExchanged !== true) return false
    return this.#decoder.atBoundary && !this.#surplus
  }

  /** Keeps the connection, which must be {@link clean}, for a next request. */
  release(): void {
    this.#enter('idle')
    this.#request = null
    // An idle connection does not keep a process alive.
    this.#socket?.unref()
  }

  /** Gives the running request up, as far as the application listens, and closes. The receiver hears nothing more. */
  abort(): void {
    const isRunning = this.#request?.wasBegun === true && !this.#request.hasEnded
    if (isRunning) this.#socket?.write(encodeAbortRequest(this.#requestId))
    this.close('aborted')
  }

  /** Closes at once. A running request hears nothing more. */
  close(reason: CloseReason): void {
    if (this.#state === 'closed') return
    this.#enter('closed')
    this.#cancelOpening?.()
    this.#request?.abandon()
    this.#request = null
    this.#socket?.destroy()
    this.#reading.release()
    this.#observer.connectionClosed(this)
    if (this.#socket !== null && channels.connectionClose.hasSubscribers) {
      channels.connectionClose.publish({ address: formatAddress(this.#address), reason, requests: this.#requests })
    }
  }

  onStreamContent(type: number, requestId: number, content: Buffer): void {
    const request = this.#answering(type, requestId)
    if (type === FCGI_STDOUT) request?.stdout(content)
    else if (type === FCGI_STDERR) request?.stderr(content)
    else throw unexpectedRecord(type, requestId)
  }

  onStreamEnd(type: number, requestId: number): void {
    this.#answering(type, requestId)
    if (type !== FCGI_STDOUT && type !== FCGI_STDERR) throw unexpectedRecord(type, requestId)
  }

  onRecord(type: number, requestId: number, content: Buffer): void {
    const request = this.#answering(type, requestId)
    if (type !== FCGI_END_REQUEST) throw unexpectedRecord(type, requestId)
    request?.ending(content)
  }

  /** The request that a record belongs to; null behind its END_REQUEST. */
  #answering(type: number, requestId: number): ClientRequest | null {
    const request = this.#request
    if (request === null || request.endRequest !== null) {
      this.#surplus = true
      return null
    }
    if (requestId !== this.#requestId) throw unexpectedRecord(type, requestId)
    return request
  }

  #enter(next: ConnectionState): void {
    if (!SUCCESSORS[this.#state].includes(next))
      throw new Error(`A connection cannot go from ${this.#state} to ${next}`)
    this.#state = next
  }

  #open(request: ClientRequest, timeout: number): void {
    this.#enter('opening')
    this.#observer.connectionWaits(this)
    const opening = { timeout, onread: this.#reading.onread }
    this.#cancelOpening = openSocket(this.#address, opening, (error, socket) => {
      this.#cancelOpening = null
      if (error !== null) return this.#fail(error, 'failed')
      this.#listen(socket)
      const { connectionOpen } = channels
      if (connectionOpen.hasSubscribers) connectionOpen.publish({ address: formatAddress(this.#address) })
      this.#begin(request, socket)
    })
  }

  #listen(socket: Socket): void {
    this.#socket = socket
    // Once for all requests: to put listeners on and off for each costs 1 µs.
    socket.on('drain', () => this.#request?.drained())
    socket.on('error', (error) => this.#onLost(error))
    for (const event of ['end', 'close']) socket.on(event, () => this.#onLost(null))
  }

  #begin(request: ClientRequest, socket: Socket): void {
    this.#enter('busy')
    socket.ref()
    try {
      request.begin(socket, this.#requestId)
    } catch (error) {
      // The source of the body cannot be opened; told later, as the caller of send() does not have its request yet.
      process.nextTick(() => this.#fail(asFastCgiError(error), 'failed'))
    }
  }

  readonly #broken = (error: FastCgiError): void => this.#fail(error, 'aborted')

  #read(bytes: Buffer): void {
    const request = this.#request
    if (request === null || request.hasEnded) return this.close('unexpected')
    this.#noteAnswer()
    request.heard()
    try {
      this.#decode(bytes, request)
      if (request.hasEnded) return
      if (request.endRequest === null) request.flush()
      else request.finish(request.endRequest)
    } catch (error) {
      this.#fail(asFastCgiError(error), 'failed')
    }
  }

  /** What is malformed behind END_REQUEST costs the connection, not the answer. */
  #decode(bytes: Buffer, request: ClientRequest): void {
    try {
      this.#decoder.push(bytes)
    } catch (error) {
      if (request.endRequest === null) throw error
      this.#surplus = true
    }
  }

  #noteAnswer(): void {
    if (this.#heard) return
    this.#heard = true
    this.#observer.connectionAnswers(this)
  }

  #onLost(error: Error | null): void {
    const request = this.#request
    if (request === null || request.hasEnded) return this.close('backend')
    this.#fail(lostConnectionError(error, { address: this.#address, answered: request.wasAnswered }), 'backend')
  }

  #fail(error: FastCgiError, reason: CloseReason): void {
    const request = this.#request
    if (this.#state === 'closed' || request === null) return
    if (reason === 'aborted') this.abort()
    else this.close(reason)
    request.fail(error)
  }
}

function unexpectedRecord(type: number, requestId: number): FastCgiError {
  const detail = `A record of type ${type} for request ${requestId} has no place in an answer`
  return new FastCgiError('ERR_FCGI_PROTOCOL', { detail })
}
