import type { OnReadOpts } from 'node:net'

/** Bytes that one read brings at most; as many as Node's own reads. */
const READ_LENGTH = 64 * 1024

/** Up to so many bytes are copied out. What is longer takes the buffer along, which so never holds more than four times what is kept. */
const MOST_COPIED = READ_LENGTH / 4

/**
 * Into what a socket reads: one buffer again and again. Node's streams allocate one of 64 KiB for each read, and take a `data` event
 * for each: 3 µs of a request whose answer has a few hundred bytes.
 */
export function readingInto(take: (bytes: Buffer) => void): OnReadOpts {
  let buffer = Buffer.allocUnsafeSlow(READ_LENGTH)
  return {
    buffer: () => buffer,
    callback(length) {
      const bytes = buffer.subarray(0, length)
      if (length > MOST_COPIED) {
        buffer = Buffer.allocUnsafeSlow(READ_LENGTH)
        take(bytes)
      } else take(Buffer.from(bytes))
      return true
    },
  }
}
