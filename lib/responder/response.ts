import { Writable } from 'node:stream'
import { FCGI_STDERR, FCGI_STDOUT } from '../protocol/constants.ts'
import { formatHead, type ResponseFields } from './head.ts'

/** Where a response goes: its request's place on the connection. */
export interface ResponseSink {
  /** Sends content of STDOUT or STDERR; `done` is called when more may come. */
  writeStream(type: number, content: Buffer, done: () => void): void
  /** Ends the streams and the request. */
  endRequest(end: { readonly appStatus: number; readonly stderrUsed: boolean }): void
}

/** The exit status of an application that failed. */
const FAILED = 1

/**
 * The answer to a request: a Writable of FCGI_STDOUT, which takes a CGI head and a body. Its end ends the request. After an
 * abort it is destroyed, without an error, and what is written to it is dropped.
 */
export class ResponderResponse extends Writable {
  /** The exit status that END_REQUEST tells, 32 bits; set it before the end. Default 0. */
  appStatus = 0
  readonly #sink: ResponseSink
  #stderr: Writable | null = null
  #begun = false
  #ended = false

  constructor(sink: ResponseSink) {
    super()
    this.#sink = sink
  }

  /** Whether anything was written to STDOUT. */
  get begun(): boolean {
    return this.#begun
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
   * Writes the head of the answer; once, and first.
   * @throws FastCgiError ERR_FCGI_BAD_RESPONSE when the status, a name or a value could not stand in HTTP
   */
  writeHead(status: number, fields: ResponseFields = {}): this {
    this.write(formatHead(status, fields), 'latin1')
    return this
  }

  /** Ends the request as failed: appStatus 1, `message` on STDERR, and status 500 where no answer was begun. */
  fail(message: string): void {
    if (this.destroyed || this.writableEnded) return
    this.appStatus = FAILED
    this.stderr.write(message)
    if (this.#begun) this.end()
    else this.writeHead(500, { 'Content-Type': 'text/plain' }).end('Internal Server Error\n')
  }

  /** Lets go of the request without telling anyone: the connection is gone, or has told already. */
  abandon(): void {
    this.#ended = true
    this.#stderr?.destroy()
    this.destroy()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#begun = true
    if (this.#ended) done()
    else this.#sink.writeStream(FCGI_STDOUT, chunk, done)
  }

  override _final(done: () => void): void {
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

  #endRequest(): void {
    if (this.#ended) return
    this.#ended = true
    this.#sink.endRequest({ appStatus: this.appStatus >>> 0, stderrUsed: this.#stderr !== null })
  }
}
