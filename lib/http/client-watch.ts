import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { FastCgiError } from '../errors.ts'
import { isGone } from './answer/client-response.ts'
import { breakOff } from './break-off.ts'
import { joinQueue } from './queued-answers.ts'

/** Notices that a client has left before its answer was complete, or sees to it. Must be stopped. */
export class ClientWatch {
  readonly #req: IncomingMessage
  readonly #res: ServerResponse | Http2ServerResponse
  #listener: ((error: FastCgiError) => void) | null = null
  #error: FastCgiError | null = null
  #leaveQueue: (() => void) | null = null

  constructor(req: IncomingMessage, res: ServerResponse | Http2ServerResponse) {
    this.#req = req
    this.#res = res
    res.on('close', this.#onClose)
    if (isGone(res)) this.#onClose()
    else if (res.socket === null) this.#waitInQueue(req)
  }

  /** Throws when the client has left. */
  check(): void {
    if (this.#error !== null) throw this.#error
  }

  /** Calls `listener` when the client leaves; the last one given counts. */
  onLeave(listener: (error: FastCgiError) => void): void {
    this.#listener = listener
  }

  /** Has waited for the client for long enough, for the reason given: closes its connection, which then is one that has left. */
  giveUp(detail: string): void {
    if (this.#error !== null) return
    this.#leave(new FastCgiError('ERR_FCGI_CLIENT_GONE', { detail, cause: new DOMException(detail, 'TimeoutError') }))
    // An answer that waits behind another one has no connection of its own to close.
    if (this.#res.socket === null) this.#req.socket.destroy()
    else breakOff(this.#req, this.#res)
  }

  stop(): void {
    this.#listener = null
    this.#leaveQueue?.()
    this.#res.removeListener('close', this.#onClose)
  }

  readonly #onClose = (): void => {
    if (!isWhole(this.#res) && this.#error === null) this.#leave(new FastCgiError('ERR_FCGI_CLIENT_GONE'))
  }

  /** Its answer waits for those before it on the connection. */
  #waitInQueue({ socket }: IncomingMessage): void {
    if (socket.destroyed) this.#onClose()
    else this.#leaveQueue = joinQueue(socket, this.#onClose)
  }

  #leave(error: FastCgiError): void {
    this.#error = error
    this.#listener?.(error)
  }
}

/** Whether the answer was ended and is out; Node calls that of an HTTP/2 stream finished also where the client has reset it. */
function isWhole(res: ServerResponse | Http2ServerResponse): boolean {
  return res.writableEnded && res.writableFinished
}
