import { BODY_LENGTH, encodeEndRequestBody } from '../../lib/protocol/bodies.ts'
import { FCGI_END_REQUEST, FCGI_STDERR, FCGI_STDOUT } from '../../lib/protocol/constants.ts'
import { encodeRecord } from '../../lib/protocol/encoder.ts'

/** What the encoders below take beyond the content; the id of a gateway's only request on a connection is 1. */
export interface RecordShape {
  readonly requestId?: number
  /** Default 0. */
  readonly padding?: number
}

/** Most bytes in one record of {@link stdout} and {@link stderr}; longer text takes several. */
const PIECE = 32_768

function bytesOf(content: string | Uint8Array): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content)
}

/** Any record, well-formed or not: `version` and a `contentLength` that lies are put in as they are. */
export function record(shape: {
  readonly type: number
  readonly requestId?: number
  readonly content?: string | Uint8Array
  readonly padding?: number
  readonly version?: number
  readonly contentLength?: number
}): Buffer {
  const { type, requestId = 1, content = '', padding = 0, version, contentLength } = shape
  const bytes = encodeRecord({ type, requestId, content: bytesOf(content), paddingLength: padding })
  if (version !== undefined) bytes.writeUInt8(version, 0)
  if (contentLength !== undefined) bytes.writeUInt16BE(contentLength, 4)
  return bytes
}

function stream(type: number, content: string | Uint8Array, { requestId = 1, padding = 0 }: RecordShape): Buffer {
  const bytes = bytesOf(content)
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; at += PIECE) {
    records.push(encodeRecord({ type, requestId, content: bytes.subarray(at, at + PIECE), paddingLength: padding }))
  }
  return Buffer.concat(records)
}

/** STDOUT records with the text (latin1) or the bytes; without the empty one that ends the stream. */
export function stdout(content: string | Uint8Array, shape: RecordShape = {}): Buffer {
  return stream(FCGI_STDOUT, content, shape)
}

/** STDERR records with the text (latin1) or the bytes. */
export function stderr(content: string | Uint8Array, shape: RecordShape = {}): Buffer {
  return stream(FCGI_STDERR, content, shape)
}

/** END_REQUEST; appStatus and protocolStatus are 0 unless given. */
export function end(
  shape: RecordShape & { readonly appStatus?: number; readonly protocolStatus?: number } = {},
): Buffer {
  const { requestId = 1, padding = 0, appStatus = 0, protocolStatus = 0 } = shape
  const content = Buffer.alloc(BODY_LENGTH)
  encodeEndRequestBody(content, 0, { appStatus, protocolStatus })
  return encodeRecord({ type: FCGI_END_REQUEST, requestId, content, paddingLength: padding })
}

/** A whole answer: STDOUT with head and body, the end of STDOUT, END_REQUEST. */
export function answer(headAndBody: string | Uint8Array, shape: RecordShape = {}): Buffer {
  const { requestId = 1 } = shape
  return Buffer.concat([stdout(headAndBody, shape), record({ type: FCGI_STDOUT, requestId }), end(shape)])
}
