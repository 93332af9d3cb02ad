import { FastCgiError } from '../errors.ts'

/** Content of BEGIN_REQUEST (FastCGI 1.0 section 5.1). */
export interface BeginRequestBody {
  readonly role: number
  /** Bits: FCGI_KEEP_CONN. */
  readonly flags: number
}

/** Content of END_REQUEST (FastCGI 1.0 section 5.5). */
export interface EndRequestBody {
  /** The exit status of the application, as an unsigned 32-bit number. */
  readonly appStatus: number
  readonly protocolStatus: number
}

/** Bytes of the content of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE alike. */
export const BODY_LENGTH: number = 8

/** Writes the content of BEGIN_REQUEST; returns the offset behind it. */
export function encodeBeginRequestBody(target: Buffer, offset: number, body: BeginRequestBody): number {
  // Byte by byte: for so few, fill() takes longer to be called than to work.
  target[offset] = body.role >> 8
  target[offset + 1] = body.role & 0xff
  target[offset + 2] = body.flags
  for (let at = offset + 3; at < offset + BODY_LENGTH; at += 1) target[at] = 0
  return offset + BODY_LENGTH
}

/** Reads the content of BEGIN_REQUEST. Throws ERR_FCGI_PROTOCOL when it is too short. */
export function decodeBeginRequestBody(content: Buffer): BeginRequestBody {
  requireLength('BEGIN_REQUEST', content)
  return { role: content.readUInt16BE(0), flags: content.readUInt8(2) }
}

/** Writes the content of END_REQUEST; returns the offset behind it. */
export function encodeEndRequestBody(target: Buffer, offset: number, body: EndRequestBody): number {
  target.fill(0, offset, offset + BODY_LENGTH)
  target.writeUInt32BE(body.appStatus, offset)
  target.writeUInt8(body.protocolStatus, offset + 4)
  return offset + BODY_LENGTH
}

/** Reads the content of END_REQUEST; its reserved bytes may hold anything. Throws ERR_FCGI_PROTOCOL when it is too short. */
export function decodeEndRequestBody(content: Buffer): EndRequestBody {
  requireLength('END_REQUEST', content)
  return { appStatus: content.readUInt32BE(0), protocolStatus: content.readUInt8(4) }
}

/** Writes the content of UNKNOWN_TYPE: the type that was not known; returns the offset behind it. */
export function encodeUnknownTypeBody(target: Buffer, offset: number, type: number): number {
  target.fill(0, offset, offset + BODY_LENGTH)
  target.writeUInt8(type, offset)
  return offset + BODY_LENGTH
}

/** Reads the type that the other end did not know. Throws ERR_FCGI_PROTOCOL when the content is too short. */
export function decodeUnknownTypeBody(content: Buffer): number {
  requireLength('UNKNOWN_TYPE', content)
  return content.readUInt8(0)
}

function requireLength(record: string, content: Buffer): void {
  if (content.length >= BODY_LENGTH) return
  const detail = `${record} has ${content.length} bytes of content instead of ${BODY_LENGTH}`
  throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail })
}
