import { FastCgiError } from '../../errors.ts'
import type { AwaitedClient, BodyDeadline } from './body-deadline.ts'
import type { ClientRequest } from './client-request.ts'

/** Who reads a body. */
export interface BodyReader {
  /** Takes a piece; what it returns is waited for before the next. Throws to stop. */
  take(chunk: Buffer): Promise<void> | undefined
  readonly client: Pick<AwaitedClient, 'check' | 'onLeave'>
  readonly deadline: BodyDeadline
}

/**
 * Reads a body to its end. Rejects with ERR_FCGI_CLIENT_GONE where it breaks off or the client leaves, or with what `take` throws; then
 * the request is paused.
 */
export function readBody(req: ClientRequest, reader: BodyReader): Promise<void> {
  return new Promise((resolve, reject) => {
    reader.client.check()
    const reading = new BodyReading(req, reader, (error) => (error === undefined ? resolve() : reject(error)))
    reading.start()
  })
}

/** A body on its way to its reader. */
class BodyReading {
  readonly #req: ClientRequest
  readonly #reader: BodyReader
  readonly #settled: (error?: unknown) => void
  /** What the reader is busy with. */
  #taking: Promise<void> | null = null
  #over = false

  constructor(req: ClientRequest, reader: BodyReader, settled: (error?: unknown) => void) {
    this.#req = req
    this.#reader = reader
    this.#settled = settled
  }

  start(): void {
    const req = this.#req
    this.#reader.client.onLeave(this.#onLeft)
    req.on('data', this.#onData)
    req.on('end', this.#onEnd)
    req.on('error', this.#onBroken)
    req.on('close', this.#onBroken)
    req.resume()
    this.#reader.deadline.start()
  }

  #settle(error?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#reader.deadline.clear()
    const req = this.#req
    req.removeListener('data', this.#onData)
    req.removeListener('end', this.#onEnd)
    req.removeListener('close', this.#onBroken)
    // The listener for `error` stays: Node tells of a broken connection later, and without a listener that would be nobody's.
    if (error !== undefined) req.pause()
    this.#settled(error)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#reader.deadline.start()
    try {
      const taken = this.#reader.take(chunk)
      if (taken !== undefined) this.#waitFor(taken)
    } catch (error) {
      this.#settle(error)
    }
  }

  #waitFor(taken: Promise<void>): void {
    this.#taking = taken
    this.#req.pause()
    this.#reader.deadline.clear()
    taken.then(
      () => this.#goOn(),
      (error: unknown) => this.#settle(error),
    )
  }

  #goOn(): void {
    this.#taking = null
    if (this.#over) return
    this.#req.resume()
    this.#reader.deadline.start()
  }

  /** Node tells the end right behind the last piece, paused or not. */
  readonly #onEnd = (): void => {
    // What follows an end is no break any more, even if the last piece is still being taken.
    this.#req.removeListener('close', this.#onBroken)
    this.#reader.deadline.clear()
    if (this.#taking === null) this.#finish()
    else this.#taking.then(() => this.#finish(), ignore)
  }

  #finish(): void {
    // HTTP/2's compatibility API ends a request that was cancelled as if it were whole.
    this.#settle(this.#req.aborted ? clientGone() : undefined)
  }

  readonly #onBroken = (cause?: unknown): void => this.#settle(clientGone(cause))

  readonly #onLeft = (error: FastCgiError): void => this.#settle(error)
}

/** The failure of a body that broke off. */
export function clientGone(cause?: unknown): FastCgiError {
  return new FastCgiError('ERR_FCGI_CLIENT_GONE', {
    detail: 'The client left before it had sent the request body',
    cause,
  })
}

function ignore(): void {
  // Settled where it was waited for first.
}
