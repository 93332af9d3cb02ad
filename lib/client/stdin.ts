import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { FastCgiError } from '../errors.ts'
import { FCGI_MAX_CONTENT_LEN, FCGI_STDIN } from '../protocol/constants.ts'
import { encodeRecordHeader } from '../protocol/encoder.ts'

/** Bytes of a body at hand that are handed to the socket at once: the end of each is a sign of life for `sendTimeout`. */
const PIECE = 4 * FCGI_MAX_CONTENT_LEN

/** What the body's way to the backend tells the request. */
export interface StdinListener {
  /** The socket takes no more for now: call {@link StdinSender.resume} when it has drained. */
  stdinBlocked(): void
  /** Every byte and the empty record that ends the stream were handed to the socket. */
  stdinWritten(): void
  stdinFailed(error: FastCgiError): void
}

/**
 * Sends a body of known length as FCGI_STDIN: exactly so many bytes, or the request fails. php-fpm reads what is longer as
 * new records and waits for what is shorter (php-fpm.md 3, CVE-2026-129289). The source moves only as the socket takes.
 */
export class StdinSender {
  readonly #socket: Socket
  readonly #requestId: number
  readonly #listener: StdinListener
  #source: Readable | null = null
  /** What is still to be sent of bytes at hand. */
  #rest: Buffer | null = null
  #missing: number

  constructor(socket: Socket, stdin: { readonly requestId: number; readonly length: number }, listener: StdinListener) {
    this.#socket = socket
    this.#requestId = stdin.requestId
    this.#missing = stdin.length
    this.#listener = listener
  }

  /** Sends bytes that are at hand, all of them. */
  sendWhole(content: Buffer): void {
    this.#rest = content
    this.resume()
  }

  /** Sends what the source gives; it is ours, and destroyed when no more is taken from it. */
  sendFrom(source: Readable): void {
    this.#source = source
    source.on('data', this.#onData)
    source.on('end', this.#onEnd)
    source.on('error', this.#onError)
    source.on('close', this.#onEnd)
    // One that was paused does not flow by being listened to; one that is over says no more.
    source.resume()
    if (source.readableEnded || source.closed) process.nextTick(this.#onEnd)
  }

  /** The socket takes more again. */
  resume(): void {
    this.#source?.resume()
    while (this.#rest !== null && !this.#socket.writableNeedDrain) {
      const rest = this.#rest
      this.#rest = rest.length > PIECE ? rest.subarray(PIECE) : null
      this.#write(rest.subarray(0, PIECE))
    }
  }

  /** Sends no more. */
  stop(): void {
    const source = this.#source
    this.#rest = null
    if (source === null) return
    this.#source = null
    source.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onEnd)
    source.on('error', ignoreLateError).destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (chunk.length > this.#missing) return this.#fail(`more than the ${this.#missing} bytes that were still expected`)
    this.#write(chunk)
  }

  /** One corked write for all records of a chunk; behind the last byte goes the empty record. */
  #write(chunk: Buffer): void {
    const socket = this.#socket
    socket.cork()
    for (let at = 0; at < chunk.length; at += FCGI_MAX_CONTENT_LEN) {
      const content = chunk.subarray(at, at + FCGI_MAX_CONTENT_LEN)
      socket.write(encodeRecordHeader(FCGI_STDIN, this.#requestId, content.length))
      socket.write(content)
    }
    this.#missing -= chunk.length
    const last = this.#missing === 0
    if (last) socket.write(encodeRecordHeader(FCGI_STDIN, this.#requestId, 0))
    socket.uncork()
    if (last) this.stop()
    if (socket.writableNeedDrain) {
      this.#source?.pause()
      this.#listener.stdinBlocked()
    }
    if (last) this.#listener.stdinWritten()
  }

  readonly #onEnd = (): void => {
    if (this.#source !== null) this.#fail(`${this.#missing} bytes less than announced`)
  }

  readonly #onError = (cause: Error): void => {
    if (!(cause instanceof FastCgiError)) return this.#fail(`an error: ${cause.message}`, cause)
    this.stop()
    this.#listener.stdinFailed(cause)
  }

  #fail(what: string, cause?: Error): void {
    this.stop()
    const detail = `The source of the request body gave ${what}`
    this.#listener.stdinFailed(new FastCgiError('ERR_FCGI_BODY_LENGTH', { detail, cause }))
  }
}

/** A source given up may still report what befell it, as a client that left: it has told the one who gave it up already. */
function ignoreLateError(): void {
  // nobody waits for it
}
