import type { Socket } from 'node:net'
import { FastCgiError } from '../errors.ts'
import { decodeBeginRequestBody } from '../protocol/bodies.ts'
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_CANT_MPX_CONN,
  FCGI_KEEP_CONN,
  FCGI_MAX_CONTENT_LEN,
  FCGI_NULL_REQUEST_ID,
  FCGI_OVERLOADED,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_UNKNOWN_ROLE,
} from '../protocol/constants.ts'
import { RecordDecoder } from '../protocol/decoder.ts'
import { encodeRecordHeader } from '../protocol/encoder.ts'
import { Exchange, type ResponderListener } from './exchange.ts'
import { answerManagement } from './management.ts'
import { encodeEndRequest, encodeResponseEnd } from './records.ts'

/** What a connection needs to know. */
export interface ConnectionSettings {
  readonly listener: ResponderListener
  readonly multiplexing: boolean
  /** Requests at once on one connection. */
  readonly maxRequests: number
  /** What GET_VALUES may ask for. */
  readonly values: ReadonlyMap<string, string>
  /** Told of malformed input, lost connections and failures of the application. */
  readonly onError: (error: unknown) => void
}

/** Milliseconds for a web server to stop sending and close its end, after an answer that came before its request was whole. */
const LINGER = 5_000

/** One connection from a web server, with any number of requests on it at once. */
export class ResponderConnection {
  readonly #socket: Socket
  readonly #settings: ConnectionSettings
  readonly #exchanges: Map<number, Exchange> = new Map()
  /** Exchanges whose STDIN is full; while there are any, nothing is read: FastCGI has no flow control of its own. */
  readonly #full: Set<Exchange> = new Set()
  /** Writers that wait for the socket to drain. */
  #waiting: (() => void)[] = []
  #corked = false
  /** False from the first request without FCGI_KEEP_CONN on. */
  #keep = true
  #closing = false

  constructor(socket: Socket, settings: ConnectionSettings) {
    this.#socket = socket
    this.#settings = settings
    const decoder = new RecordDecoder({
      onStreamContent: (type, id, content) => this.#onStreamContent(type, id, content),
      onStreamEnd: (type, id) => this.#onStreamEnd(type, id),
      onRecord: (type, id, content) => this.#onRecord(type, id, content),
    })
    socket.on('data', (bytes: Buffer) => {
      if (!this.#closing) this.#decode(decoder, bytes)
    })
    socket.on('drain', () => this.#onDrain())
    // A web server that stops sending has left, unless we are closing ourselves and the last bytes are on their way.
    socket.on('end', () => {
      if (!this.#closing) socket.destroy()
    })
    socket.on('error', (error) => this.#settings.onError(error))
    socket.on('close', () => this.#onClose())
  }

  /** Finishes what was begun, then closes. */
  drain(): void {
    this.#keep = false
    if (this.#exchanges.size === 0) this.#close(true)
  }

  #decode(decoder: RecordDecoder, bytes: Buffer): void {
    try {
      decoder.push(bytes)
    } catch (error) {
      this.#settings.onError(error)
      this.#socket.destroy()
    }
  }

  #onStreamContent(type: number, id: number, content: Buffer): void {
    const exchange = this.#exchange(type, id)
    if (type === FCGI_PARAMS) exchange?.addParams(content)
    else if (type === FCGI_STDIN) exchange?.addStdin(content)
  }

  #onStreamEnd(type: number, id: number): void {
    const exchange = this.#exchange(type, id)
    if (type === FCGI_PARAMS) exchange?.endParams(this.#settings.listener)
    else if (type === FCGI_STDIN) exchange?.endStdin()
  }

  /** Records of a request that is not there are ignored: it may have ended a moment ago (FastCGI 1.0 section 3.3). */
  #exchange(type: number, id: number): Exchange | undefined {
    if (id !== FCGI_NULL_REQUEST_ID) return this.#exchanges.get(id)
    throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail: `A stream record of type ${type} has request id 0` })
  }

  #onRecord(type: number, id: number, content: Buffer): void {
    if (id === FCGI_NULL_REQUEST_ID) this.#write(answerManagement(type, content, this.#settings.values))
    else if (type === FCGI_BEGIN_REQUEST) this.#begin(id, content)
    else if (type === FCGI_ABORT_REQUEST) this.#exchanges.get(id)?.abort()
  }

  #begin(id: number, content: Buffer): void {
    if (this.#exchanges.has(id)) {
      throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail: `Request ${id} was begun twice` })
    }
    const { role, flags } = decodeBeginRequestBody(content)
    if ((flags & FCGI_KEEP_CONN) === 0) this.#keep = false
    const refusal = this.#refusal(role)
    if (refusal !== null) {
      this.#write(encodeEndRequest(id, { appStatus: 0, protocolStatus: refusal }))
      if (!this.#keep && this.#exchanges.size === 0) this.#close(false)
      return
    }
    const exchange: Exchange = new Exchange({
      writeStream: (type, chunk, done) => this.#writeStream({ type, id, chunk }, done),
      endRequest: ({ appStatus, stderrUsed }) => {
        this.#write(encodeResponseEnd(id, { appStatus, protocolStatus: FCGI_REQUEST_COMPLETE }, stderrUsed))
        this.#end(id, exchange)
      },
      holdBack: () => this.#holdBack(exchange),
      letGo: () => this.#letGo(exchange),
      failed: (error) => this.#settings.onError(error),
    })
    this.#exchanges.set(id, exchange)
  }

  #refusal(role: number): number | null {
    if (role !== FCGI_RESPONDER) return FCGI_UNKNOWN_ROLE
    if (this.#exchanges.size === 0) return null
    if (!this.#settings.multiplexing) return FCGI_CANT_MPX_CONN
    return this.#exchanges.size < this.#settings.maxRequests ? null : FCGI_OVERLOADED
  }

  #end(id: number, exchange: Exchange): void {
    exchange.close()
    this.#letGo(exchange)
    if (this.#keep || this.#exchanges.size > 1) {
      this.#exchanges.delete(id)
      return
    }
    // The end of STDIN is often in the same read and still to be looked at: then there is nothing to linger for.
    process.nextTick(() => {
      this.#exchanges.delete(id)
      this.#close(exchange.received)
    })
  }

  #holdBack(exchange: Exchange): void {
    this.#full.add(exchange)
    this.#socket.pause()
  }

  #letGo(exchange: Exchange): void {
    if (this.#full.delete(exchange) && this.#full.size === 0) this.#socket.resume()
  }

  #writeStream(stream: { readonly type: number; readonly id: number; readonly chunk: Buffer }, done: () => void): void {
    const { type, id, chunk } = stream
    let flowing = true
    for (let at = 0; at < chunk.length; at += FCGI_MAX_CONTENT_LEN) {
      const content = chunk.subarray(at, at + FCGI_MAX_CONTENT_LEN)
      this.#write(encodeRecordHeader(type, id, content.length))
      flowing = this.#write(content)
    }
    if (flowing) done()
    else this.#waiting.push(done)
  }

  /** What is written in one turn of the event loop, ticks included, leaves in one write. */
  #write(bytes: Buffer): boolean {
    const socket = this.#socket
    if (!socket.writable) return true
    if (!this.#corked) {
      this.#corked = true
      socket.cork()
      process.nextTick(queueMicrotask, () => {
        this.#corked = false
        socket.uncork()
      })
    }
    return socket.write(bytes)
  }

  #onDrain(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const done of waiting) done()
  }

  /** Closing with bytes unread would reset the connection under the answer, so what still comes is read away first. */
  #close(received: boolean): void {
    if (this.#closing) return
    this.#closing = true
    const socket = this.#socket
    if (received) {
      socket.destroySoon()
      return
    }
    socket.end()
    socket.resume()
    socket.setTimeout(LINGER, () => socket.destroy())
  }

  #onClose(): void {
    for (const exchange of this.#exchanges.values()) exchange.lose()
    this.#exchanges.clear()
    this.#full.clear()
    this.#waiting = []
  }
}
