import type { OnReadOpts } from 'node:net'

/** Bytes that one read brings at most; as many as Node's own reads. */
const READ_LENGTH = 64 * 1024

/** Up to so many bytes are copied out. What is longer takes the buffer along, which so never holds more than four times what is kept. */
const MOST_COPIED = READ_LENGTH / 4

/** Of connections that have closed: where none is kept, a new buffer for each cost 12 µs of garbage collection. */
const spare: Buffer[] = []
const MOST_SPARE = 32

/**
 * Into what a socket reads: one buffer again and again. Node's streams allocate one of 64 KiB for each read, and take a `data` event
 * for each: 3 µs of a request whose answer has a few hundred bytes.
 */
export class ReadBuffer {
  #buffer: Buffer = spare.pop() ?? Buffer.allocUnsafeSlow(READ_LENGTH)
  readonly #take: (bytes: Buffer) => void

  /** `take` gets what was read; it is never written into again. */
  constructor(take: (bytes: Buffer) => void) {
    this.#take = take
  }

  /** For `net.connect`. */
  get onread(): OnReadOpts {
    return {
      buffer: () => this.#buffer,
      callback: (length) => {
        this.#hand(length)
        return true
      },
    }
  }

  /** The socket is destroyed: it reads no more. */
  release(): void {
    if (spare.length < MOST_SPARE) spare.push(this.#buffer)
  }

  #hand(length: number): void {
    const bytes = this.#buffer.subarray(0, length)
    if (length <= MOST_COPIED) return this.#take(Buffer.from(bytes))
    this.#buffer = Buffer.allocUnsafeSlow(READ_LENGTH)
    this.#take(bytes)
  }
}
