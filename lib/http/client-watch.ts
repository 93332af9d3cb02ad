import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { FastCgiError } from '../errors.ts'

/** Notices that a client has left before its answer was complete. Must be stopped. */
export class ClientWatch {
  readonly #res: ServerResponse | Http2ServerResponse
  #abortController: AbortController | null = null
  #listener: ((error: FastCgiError) => void) | null = null
  #error: FastCgiError | null = null

  constructor(res: ServerResponse | Http2ServerResponse) {
    this.#res = res
    res.on('close', this.#onClose)
    if (res.destroyed) this.#onClose()
  }

  /** Aborts with ERR_FCGI_CLIENT_GONE; made only where something waits on it. */
  get signal(): AbortSignal {
    this.#abortController ??= new AbortController()
    if (this.#error !== null) this.#abortController.abort(this.#error)
    return this.#abortController.signal
  }

  /** Throws when the client has left. */
  check(): void {
    if (this.#error !== null) throw this.#error
  }

  /** Calls `listener` when the client leaves; the last one given counts. */
  onLeave(listener: (error: FastCgiError) => void): void {
    this.#listener = listener
  }

  stop(): void {
    this.#listener = null
    this.#res.removeListener('close', this.#onClose)
  }

  readonly #onClose = (): void => {
    if (this.#res.writableFinished || this.#error !== null) return
    this.#error = new FastCgiError('ERR_FCGI_CLIENT_GONE')
    this.#abortController?.abort(this.#error)
    this.#listener?.(this.#error)
  }
}
