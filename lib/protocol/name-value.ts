import { FastCgiError } from '../errors.ts'

/** Longest name or value: 31 bits (FastCGI 1.0 section 3.4). */
const MAX_LENGTH = 0x7f_ff_ff_ff

/** Lengths from here on take four bytes, with the high bit set. */
const LONG_FORM = 128

/** Bytes that a pair takes, both lengths included; names and values are byte strings (latin1). */
export function pairLength(name: string, value: string): number {
  return (name.length < LONG_FORM ? 1 : 4) + (value.length < LONG_FORM ? 1 : 4) + name.length + value.length
}

/** Writes a pair into `target` at `offset`, where there is room for it; returns the offset behind it. */
export function encodePair(target: Buffer, offset: number, pair: readonly [name: string, value: string]): number {
  const [name, value] = pair
  let at = encodeLength(target, offset, name.length)
  at = encodeLength(target, at, value.length)
  at += target.write(name, at, 'latin1')
  return at + target.write(value, at, 'latin1')
}

function encodeLength(target: Buffer, offset: number, length: number): number {
  if (length < LONG_FORM) {
    target[offset] = length
    return offset + 1
  }
  return target.writeUInt32BE((length | 0x80_00_00_00) >>> 0, offset)
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
