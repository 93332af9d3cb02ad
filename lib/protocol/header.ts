import { FCGI_MAX_CONTENT_LEN, FCGI_VERSION_1 } from './constants.ts'

/** Most bytes of padding: the field has 8 bits. */
const MAX_PADDING_LEN = 255

/** The header of a record (FastCGI 1.0 section 3.3). */
export interface RecordHeader {
  readonly type: number
  /** 0 to 65,535; 0 is a management record. */
  readonly requestId: number
  /** Bytes of content, 0 to 65,535. */
  readonly contentLength: number
  /** Bytes of padding after the content, 0 to 255. */
  readonly paddingLength: number
}

/**
 * Writes a header into its 8 bytes of `target` at `offset`; returns the offset behind it.
 * @throws RangeError when a length does not fit its field: cut short, it would turn content into records
 */
export function encodeHeader(target: Uint8Array, offset: number, header: RecordHeader): number {
  const { type, requestId, contentLength, paddingLength } = header
  if (contentLength > FCGI_MAX_CONTENT_LEN) throw new RangeError(`A record cannot carry ${contentLength} bytes`)
  if (paddingLength > MAX_PADDING_LEN) throw new RangeError(`A record cannot have ${paddingLength} bytes of padding`)
  target[offset] = FCGI_VERSION_1
  target[offset + 1] = type
  target[offset + 2] = requestId >> 8
  target[offset + 3] = requestId & 0xff
  target[offset + 4] = contentLength >> 8
  target[offset + 5] = contentLength & 0xff
  target[offset + 6] = paddingLength
  target[offset + 7] = 0
  return offset + 8
}

/** A header to read into: one object serves for all records of a connection. */
export type HeaderTarget = { -readonly [Field in keyof RecordHeader]: RecordHeader[Field] }

/** Reads the 8 bytes at `offset`, which must be there; false when the version is not 1, with nothing read. */
export function decodeHeader(source: Buffer, offset: number, header: HeaderTarget): boolean {
  if (source[offset] !== FCGI_VERSION_1) return false
  header.type = source.readUInt8(offset + 1)
  header.requestId = source.readUInt16BE(offset + 2)
  header.contentLength = source.readUInt16BE(offset + 4)
  header.paddingLength = source.readUInt8(offset + 6)
  return true
}
