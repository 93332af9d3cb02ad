import { Readable } from 'node:stream'
import { FastCgiError } from '../../errors.ts'
import type { BodyDeadline } from './body-deadline.ts'
import { clientGone } from './body-reading.ts'
import type { ClientRequest } from './client-request.ts'

/**
 * A request body as it streams in: exactly the announced bytes, or an error. A stream of its own before Node's, so that whoever reads
 * it may destroy it without ending the client's connection, which still waits for its answer.
 */
export class BodySource extends Readable {
  readonly #req: ClientRequest
  readonly #deadline: BodyDeadline
  #missing: number
  #attached = false

  constructor(req: ClientRequest, length: number, deadline: BodyDeadline) {
    super({ highWaterMark: req.readableHighWaterMark })
    this.#req = req
    this.#deadline = deadline
    this.#missing = length
    // A client may leave when nobody reads any more; that ends no process.
    this.on('error', ignore)
  }

  override _read(): void {
    if (!this.#attached) this.#attach()
    if (this.destroyed) return
    this.#req.resume()
    this.#deadline.start()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const req = this.#req
    this.#deadline.clear()
    req.removeListener('data', this.#onData)
    req.removeListener('end', this.#onEnd)
    req.removeListener('close', this.#onBroken)
    // Not `error`: a broken connection is reported late, and without a listener it would be nobody's.
    if (!req.readableEnded) req.pause()
    callback(error)
  }

  #attach(): void {
    const req = this.#req
    this.#attached = true
    req.on('data', this.#onData)
    req.on('end', this.#onEnd)
    req.on('error', this.#onBroken)
    req.on('close', this.#onBroken)
    if (req.destroyed) this.destroy(clientGone())
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#missing -= chunk.length
    if (this.#missing < 0) {
      this.destroy(new FastCgiError('ERR_FCGI_BODY_LENGTH', { detail: 'The client sent more than its Content-Length' }))
    } else if (!this.push(chunk)) {
      this.#req.pause()
      this.#deadline.clear()
    }
  }

  readonly #onEnd = (): void => {
    this.#deadline.clear()
    if (this.#missing > 0 || this.#req.aborted) this.destroy(clientGone())
    else this.push(null)
  }

  readonly #onBroken = (cause?: unknown): void => {
    // `close` also follows an orderly end.
    if (!this.#req.readableEnded) this.destroy(clientGone(cause))
  }
}

function ignore(): void {
  // Who reads has a listener of its own.
}
