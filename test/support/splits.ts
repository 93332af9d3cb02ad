/** Bytes in pieces of `size`, the last one shorter. */
export function pieces(bytes: Buffer, size: number): Buffer[] {
  const result: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) result.push(bytes.subarray(at, at + size))
  return result
}

/** Bytes cut at the offsets; offsets that are out of order or out of range are taken into it. */
export function cutAt(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const cuts = [...new Set(offsets.map((offset) => Math.min(Math.max(offset, 0), bytes.length)))].sort((a, b) => a - b)
  const edges = [0, ...cuts, bytes.length]
  return edges.slice(1).map((to, index) => bytes.subarray(edges[index], to))
}

/** Above it a case is split around the borders that matter instead of everywhere. */
const EVERYWHERE = 2_048

/**
 * Every way in which a codec case is to run: whole, byte by byte, and in two at every place. Long bytes are cut in two near
 * their ends and around each 4,093rd byte, and go in small odd pieces instead of byte by byte.
 */
export function* splitsOf(bytes: Buffer): Generator<{ readonly name: string; readonly pieces: Buffer[] }> {
  yield { name: 'whole', pieces: [bytes] }
  const long = bytes.length > EVERYWHERE
  yield long ? { name: 'in 61s', pieces: pieces(bytes, 61) } : { name: 'byte by byte', pieces: pieces(bytes, 1) }
  for (let at = 1; at < bytes.length; at += 1) {
    if (long && at > 300 && at < bytes.length - 300 && at % 4_093 > 1) continue
    yield { name: `cut at ${at}`, pieces: [bytes.subarray(0, at), bytes.subarray(at)] }
  }
}
