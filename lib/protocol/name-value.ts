import { FastCgiError } from '../errors.ts'

/** Longest name or value: 31 bits (FastCGI 1.0 section 3.4). */
const MAX_LENGTH = 0x7f_ff_ff_ff

/** Lengths from here on take four bytes, with the high bit set. */
const LONG_FORM = 128

/**
 * A pair as it stands in a record, as a byte string. One string for all pairs and one write of it cost a tenth of a write for each
 * name and value: 3.5 µs and not 32 for the 26 of a usual request.
 */
export function formatPair(name: string, value: string): string {
  return formatLength(name.length) + formatLength(value.length) + name + value
}

const SHORT_LENGTHS: readonly string[] = Array.from({ length: LONG_FORM }, (_, length) => String.fromCharCode(length))

function formatLength(length: number): string {
  return (
    SHORT_LENGTHS[length] ??
    String.fromCharCode((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  )
}

/**
 * Reads the pairs of a whole PARAMS stream or of a management record as byte strings, in their order and with their repeats.
 * @throws FastCgiError ERR_FCGI_PROTOCOL when a pair is cut
 */
export function decodePairs(source: Buffer): [name: string, value: string][] {
  const pairs: [string, string][] = []
  let offset = 0
  const readLength = (): number => {
    const first = source[offset]
    if (first === undefined) throw cutPair(offset)
    if (first < LONG_FORM) {
      offset += 1
      return first
    }
    if (offset + 4 > source.length) throw cutPair(offset)
    const length = source.readUInt32BE(offset) & MAX_LENGTH
    offset += 4
    return length
  }
  while (offset < source.length) {
    const nameLength = readLength()
    const valueLength = readLength()
    const valueAt = offset + nameLength
    const end = valueAt + valueLength
    if (end > source.length) throw cutPair(offset)
    pairs.push([source.toString('latin1', offset, valueAt), source.toString('latin1', valueAt, end)])
    offset = end
  }
  return pairs
}

function cutPair(offset: number): FastCgiError {
  return new FastCgiError('ERR_FCGI_PROTOCOL', { detail: `A name-value pair is cut short at byte ${offset}` })
}
