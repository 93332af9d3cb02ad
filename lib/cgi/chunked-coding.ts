import type { HeaderField } from './response-fields.ts'

/** A chunk's size line (RFC 9112 section 7.1): hexadecimal digits, perhaps extensions, CRLF. */
const SIZE_LINE = /^[0-9a-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r\n/i

/** What may still become a size line. */
const BEGUN_SIZE_LINE = /^[0-9a-f]{0,16}[ \t]*(?:;[^\r\n]*)?\r?$/i

/** Bytes after which a size line that has not ended is taken for text. */
const LONGEST_SIZE_LINE = 256

/** Whether a body is still in the chunked coding, by its first bytes; undefined while they are too few to tell. */
export function isChunkCoded(body: Buffer): boolean | undefined {
  const begin = body.toString('latin1', 0, LONGEST_SIZE_LINE)
  if (SIZE_LINE.test(begin)) return true
  if (begin.length < LONGEST_SIZE_LINE && BEGUN_SIZE_LINE.test(begin)) return undefined
  return false
}

/** Whether a head says that its body is in the chunked coding. */
export function claimsChunked(fields: readonly HeaderField[]): boolean {
  return fields.some(({ key, value }) => key === 'transfer-encoding' && /\bchunked\b/i.test(value))
}
