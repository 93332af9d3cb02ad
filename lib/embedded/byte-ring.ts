/** Words of the control block, all Int32: bytes ever written, bytes ever read, a wake-up is on its way, nobody reads. */
const WRITTEN = 0
const READ = 1
const AWAKE = 2
const CLOSED = 3
const CONTROL_LENGTH = 16

/** Memory for a {@link ByteRing}; `capacity` is in bytes and a power of two, so that the counters may wrap. */
export function ringMemory(capacity: number): SharedArrayBuffer {
  if (!Number.isInteger(Math.log2(capacity))) throw new RangeError(`${capacity} is no power of two`)
  return new SharedArrayBuffer(CONTROL_LENGTH + capacity)
}

/**
 * A bounded stream of bytes from one thread to another. The writer is blocked while it is full, which is how a slow client
 * holds back a script; the reader never blocks. Small writes cost no message: `wake` is called once for all of them.
 */
export class ByteRing {
  readonly #control: Int32Array
  readonly #bytes: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, CONTROL_LENGTH / Int32Array.BYTES_PER_ELEMENT)
    this.#bytes = new Uint8Array(memory, CONTROL_LENGTH)
  }

  /** The writer's: false when nobody reads any more. `wake` is to make the other thread call {@link ByteRing.read}. */
  write(chunk: Uint8Array, wake: () => void): boolean {
    const control = this.#control
    for (let at = 0; at < chunk.length; ) {
      if (Atomics.load(control, CLOSED) === 1) return false
      const read = Atomics.load(control, READ)
      const written = Atomics.load(control, WRITTEN)
      const room = this.#bytes.length - ((written - read) | 0)
      if (room === 0) {
        Atomics.wait(control, READ, read)
        continue
      }
      const piece = chunk.subarray(at, at + room)
      this.#put(written, piece)
      at += piece.length
      Atomics.store(control, WRITTEN, (written + piece.length) | 0)
      if (Atomics.exchange(control, AWAKE, 1) === 0) wake()
    }
    return true
  }

  /** The reader's: a copy of everything that is there; null when there is nothing. */
  read(): Buffer | null {
    const control = this.#control
    // Before the look: what is written after it brings its own wake-up.
    Atomics.store(control, AWAKE, 0)
    const read = Atomics.load(control, READ)
    const written = Atomics.load(control, WRITTEN)
    const length = (written - read) | 0
    if (length === 0) return null
    const start = this.#place(read)
    const end = Math.min(start + length, this.#bytes.length)
    const chunk = Buffer.allocUnsafe(length)
    chunk.set(this.#bytes.subarray(start, end))
    chunk.set(this.#bytes.subarray(0, length - (end - start)), end - start)
    this.#advance(written)
    return chunk
  }

  /** The reader's: what is there and what comes is dropped, and the writer is told. */
  close(): void {
    Atomics.store(this.#control, CLOSED, 1)
    // A writer that waits is waiting for this word to change.
    this.#advance(Atomics.load(this.#control, WRITTEN))
  }

  /** The reader's, while nobody writes: empty and open again. */
  reset(): void {
    this.#advance(Atomics.load(this.#control, WRITTEN))
    Atomics.store(this.#control, CLOSED, 0)
  }

  #put(written: number, piece: Uint8Array): void {
    const start = this.#place(written)
    const first = piece.subarray(0, this.#bytes.length - start)
    this.#bytes.set(first, start)
    this.#bytes.set(piece.subarray(first.length), 0)
  }

  #advance(read: number): void {
    Atomics.store(this.#control, READ, read)
    Atomics.notify(this.#control, READ)
  }

  #place(count: number): number {
    return (count >>> 0) % this.#bytes.length
  }
}
