import { Writable } from 'node:stream'
import { FastCgiError } from '../errors.ts'
import { FCGI_STDERR, FCGI_STDOUT } from '../protocol/constants.ts'
import { checkStatus, formatField, formatHead, type ResponseFields, type ResponseFieldValue } from './head.ts'

/** Where a response goes: its request's place on the connection. */
export interface ResponseSink {
  /** Sends content of STDOUT or STDERR; `done` is called when more may come. */
  writeStream(type: number, content: Buffer, done: () => void): void
  /** Ends the streams and the request. */
  endRequest(end: { readonly appStatus: number; readonly stderrUsed: boolean }): void
}

/** `raw`: the application writes the head itself, as CGI. */
type HeadState = 'open' | 'raw' | 'written'

/** The exit status of an application that failed. */
const FAILED = 1

/**
 * The answer to a request, in the manner of http.ServerResponse: a head (`writeHead`, or `statusCode` and `setHeader` before the
 * first byte of the body), then a body, which streams. Its end ends the request. After an abort it is destroyed, without an
 * error, and what is written to it is dropped.
 */
export class ResponderResponse extends Writable {
  /** The exit status that END_REQUEST tells, 32 bits; set it before the end. Default 0. */
  appStatus = 0
  readonly #sink: ResponseSink
  /** Names as they were given and values, by the names in lower case. */
  readonly #fields: Map<string, readonly [string, ResponseFieldValue]> = new Map()
  #status = 200
  #head: HeadState = 'open'
  #stderr: Writable | null = null
  #begun = false
  #ended = false

  constructor(sink: ResponseSink) {
    super()
    this.#sink = sink
  }

  /** Whether the head, or anything else, was written. */
  get headersSent(): boolean {
    return this.#begun || this.#head === 'written'
  }

  /**
   * The HTTP status of the answer. Default 200.
   * @throws FastCgiError ERR_FCGI_BAD_RESPONSE for what is no HTTP status
   */
  get statusCode(): number {
    return this.#status
  }

  set statusCode(status: number) {
    checkStatus(status)
    this.#status = status
  }

  /**
   * Sets a field of the head; one of the same name is replaced.
   * @throws FastCgiError ERR_FCGI_BAD_RESPONSE when the name or the value could not stand in HTTP, and once the head is written
   */
  setHeader(name: string, value: ResponseFieldValue): this {
    formatField(name, value)
    if (this.headersSent) throw headIsWritten()
    this.#fields.set(name.toLowerCase(), [name, value])
    return this
  }

  /** The value of a field that was set. */
  getHeader(name: string): ResponseFieldValue | undefined {
    return this.#fields.get(name.toLowerCase())?.[1]
  }

  /** Whether a field was set. */
  hasHeader(name: string): boolean {
    return this.#fields.has(name.toLowerCase())
  }

  /** Takes a field back. */
  removeHeader(name: string): void {
    this.#fields.delete(name.toLowerCase())
  }

  /**
   * FCGI_STDOUT as it is, for who makes CGI answers: what is written to it begins with a head of its own. It is the response
   * itself, which from then on writes no head.
   */
  get stdout(): this {
    if (!this.headersSent) this.#head = 'raw'
    return this
  }

  /** FCGI_STDERR: the log of the web server. It ends with the response. */
  get stderr(): Writable {
    if (this.#stderr !== null) return this.#stderr
    const stderr = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#ended) done()
        else this.#sink.writeStream(FCGI_STDERR, chunk, done)
      },
    })
    // A log that is closed takes nothing and is no reason to end a process.
    stderr.on('error', () => stderr.destroy())
    this.#stderr = stderr
    return stderr
  }

  /**
   * Writes the head of the answer, with the fields that were set before; at once, so that it can reach the client before the body.
   * @throws FastCgiError ERR_FCGI_BAD_RESPONSE when the status, a name or a value could not stand in HTTP, and the second time
   */
  writeHead(status: number, fields: ResponseFields = {}): this {
    if (this.headersSent) throw headIsWritten()
    for (const [name, value] of Object.entries(fields)) this.setHeader(name, value)
    this.statusCode = status
    this.#head = 'written'
    this.write(this.#formatHead(), 'latin1')
    return this
  }

  /** Ends the request as failed: appStatus 1, `message` on STDERR, and status 500 where no answer was begun. */
  fail(message: string): void {
    if (this.destroyed || this.writableEnded) return
    this.appStatus = FAILED
    this.stderr.write(message)
    this.#fields.clear()
    if (this.headersSent) this.end()
    else this.writeHead(500, { 'Content-Type': 'text/plain' }).end('Internal Server Error\n')
  }

  /** Lets go of the request without telling anyone: the connection is gone, or has told already. */
  abandon(): void {
    this.#ended = true
    this.#stderr?.destroy()
    this.destroy()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#beginBody()
    if (this.#ended) done()
    else this.#sink.writeStream(FCGI_STDOUT, chunk, done)
  }

  override _final(done: () => void): void {
    this.#beginBody()
    const finish = (): void => {
      this.#endRequest()
      done()
    }
    // What STDERR still holds back goes before END_REQUEST.
    if (this.#stderr === null || this.#stderr.destroyed) finish()
    else this.#stderr.end(finish)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (error !== null) this.appStatus = FAILED
    this.#endRequest()
    this.#stderr?.destroy()
    done(error)
  }

  /** Before the first byte, or the end: the head, if nobody wrote one. */
  #beginBody(): void {
    if (this.#begun) return
    this.#begun = true
    if (this.#head !== 'open' || this.#ended) return
    this.#head = 'written'
    // What follows at once asks whether more may come.
    this.#sink.writeStream(FCGI_STDOUT, Buffer.from(this.#formatHead(), 'latin1'), () => undefined)
  }

  #formatHead(): string {
    return formatHead(this.#status, Object.fromEntries(this.#fields.values()))
  }

  #endRequest(): void {
    if (this.#ended) return
    this.#ended = true
    this.#sink.endRequest({ appStatus: this.appStatus >>> 0, stderrUsed: this.#stderr !== null })
  }
}

function headIsWritten(): FastCgiError {
  return new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail: 'The head of the answer is written already' })
}
