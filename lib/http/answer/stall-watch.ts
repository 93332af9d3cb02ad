import { Deadline } from '../../client/deadline.ts'
import { type ClientResponse, isStreamResponse } from './client-response.ts'

/**
 * Notices that a client takes nothing of what waits for it. It looks again and again: whoever takes anything, however little, has the
 * whole time for the next. So a client that has stopped is noticed after one to two times of it.
 */
export class StallWatch {
  readonly #res: ClientResponse
  /** Milliseconds; 0: never. */
  readonly #timeout: number
  readonly #stalled: () => void
  readonly #deadline: Deadline = new Deadline()
  /** What waited for the client when it was last looked at. */
  #unsent = 0

  constructor(res: ClientResponse, timeout: number, stalled: () => void) {
    this.#res = res
    this.#timeout = timeout
    this.#stalled = stalled
  }

  start(): void {
    this.#unsent = unsentBytes(this.#res)
    this.#deadline.arm(this.#timeout, this.#look)
  }

  stop(): void {
    this.#deadline.clear()
  }

  /** Goes on until all of a response that was ended is out: by then nobody but the client is waited for. */
  startUntilOut(): void {
    const out = (): void => {
      this.stop()
      this.#res.removeListener('finish', out)
      this.#res.removeListener('close', out)
    }
    this.#res.on('finish', out)
    this.#res.on('close', out)
    this.start()
  }

  readonly #look = (): void => {
    const unsent = unsentBytes(this.#res)
    // With nothing unsent it is not the client that is slow, but middleware or the answer before this one on its connection.
    if (unsent > 0 && unsent === this.#unsent) this.#stalled()
    else this.start()
  }
}

/** Bytes that wait for the client to take them: less each time it takes some, as far as can be seen. */
export function unsentBytes(res: ClientResponse): number {
  // HTTP/2 counts whole writes.
  if (isStreamResponse(res)) return res.stream.bufferSize
  // A write of many pieces leaves writableLength as a whole, the queue below it piece by piece.
  const { writableLength, _handle } = res.req.socket
  return writableLength + (_handle?.writeQueueSize ?? 0)
}
