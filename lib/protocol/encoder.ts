import { FastCgiError } from '../errors.ts'
import { type BeginRequestBody, BODY_LENGTH, encodeBeginRequestBody } from './bodies.ts'
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_GET_VALUES,
  FCGI_HEADER_LEN,
  FCGI_MAX_CONTENT_LEN,
  FCGI_NULL_REQUEST_ID,
  FCGI_PARAMS,
  FCGI_STDIN,
} from './constants.ts'
import { encodeHeader } from './header.ts'
import { formatPair } from './name-value.ts'
import { PairText, type Parameters } from './pair-text.ts'

/** Most bytes of parameters that one request may have, framing included; beyond it the answer is 431. */
export const MAX_PARAMS_LENGTH: number = 256 * 1024

/** A record to encode. */
export interface RecordOptions {
  readonly type: number
  readonly requestId: number
  /** At most 65,535 bytes; default none. */
  readonly content?: Uint8Array
  /** 0 to 255 bytes, sent as zeros (CVE-2023-0836: never what the memory held before); default 0. */
  readonly paddingLength?: number
}

/** One whole record. */
export function encodeRecord(record: RecordOptions): Buffer {
  const { type, requestId, content, paddingLength = 0 } = record
  const contentLength = content?.length ?? 0
  const bytes = Buffer.allocUnsafe(FCGI_HEADER_LEN + contentLength + paddingLength)
  encodeHeader(bytes, 0, { type, requestId, contentLength, paddingLength })
  if (content !== undefined) bytes.set(content, FCGI_HEADER_LEN)
  return bytes.fill(0, FCGI_HEADER_LEN + contentLength)
}

/** Header of a record whose content, at most 65,535 bytes, is written right behind it: bulk bytes are not copied. */
export function encodeRecordHeader(type: number, requestId: number, contentLength: number): Buffer {
  const bytes = Buffer.allocUnsafe(FCGI_HEADER_LEN)
  encodeHeader(bytes, 0, { type, requestId, contentLength, paddingLength: 0 })
  return bytes
}

/** What opens a request. */
export interface RequestOpening extends BeginRequestBody {
  readonly requestId: number
  readonly params: Parameters
  /** The whole STDIN, at most 65,535 bytes, empty for no body; undefined: STDIN follows in records of its own. */
  readonly stdin: Uint8Array | undefined
}

/**
 * BEGIN_REQUEST, PARAMS with its end and, where the body is at hand, STDIN with its end, in one buffer for one write.
 * Pairs are packed whole: php-fpm resets a connection on which a pair is cut over two records.
 * @throws FastCgiError ERR_FCGI_PARAMS_LIMIT when a pair has no room in a record or all have none in 256 KiB
 */
export function encodeRequest(opening: RequestOpening): Buffer {
  const { requestId, stdin } = opening
  const params = packParams(opening.params)
  let length = FCGI_HEADER_LEN + BODY_LENGTH + FCGI_HEADER_LEN
  for (const content of params) length += FCGI_HEADER_LEN + content.length
  if (stdin !== undefined) length += FCGI_HEADER_LEN + (stdin.length > 0 ? FCGI_HEADER_LEN + stdin.length : 0)
  const bytes = Buffer.allocUnsafe(length)
  let at = encodeHeader(bytes, 0, { type: FCGI_BEGIN_REQUEST, requestId, contentLength: BODY_LENGTH, paddingLength: 0 })
  at = encodeBeginRequestBody(bytes, at, opening)
  for (const content of params) at = writeParams(bytes, at, { requestId, content })
  at = writeParams(bytes, at, { requestId, content: '' })
  if (stdin === undefined) return bytes
  if (stdin.length > 0) {
    at = encodeHeader(bytes, at, { type: FCGI_STDIN, requestId, contentLength: stdin.length, paddingLength: 0 })
    bytes.set(stdin, at)
    at += stdin.length
  }
  encodeHeader(bytes, at, { type: FCGI_STDIN, requestId, contentLength: 0, paddingLength: 0 })
  return bytes
}

/** Writes an id into every record of an encoded request, in place: the same bytes serve for any connection. Returns them. */
export function stampRequestId(records: Buffer, requestId: number): Buffer {
  if (records.readUInt16BE(2) === requestId) return records
  for (let at = 0; at < records.length; ) {
    records.writeUInt16BE(requestId, at + 2)
    at += FCGI_HEADER_LEN + records.readUInt16BE(at + 4) + records.readUInt8(at + 6)
  }
  return records
}

/** Asks the application to give a request up. */
export function encodeAbortRequest(requestId: number): Buffer {
  return encodeRecord({ type: FCGI_ABORT_REQUEST, requestId })
}

/** Asks the application for values by name. */
export function encodeGetValues(names: readonly string[]): Buffer {
  const content = encodePairs(new Map(names.map((name) => [name, ''])))
  return encodeRecord({ type: FCGI_GET_VALUES, requestId: FCGI_NULL_REQUEST_ID, content })
}

/** Pairs one after another, as a management record carries them. */
export function encodePairs(pairs: ReadonlyMap<string, string>): Buffer {
  let text = ''
  for (const [name, value] of pairs) text += formatPair(name, value)
  return Buffer.from(text, 'latin1')
}

const pairText = new PairText()

/** The content of each PARAMS record that the pairs need, as byte strings; nearly always there is one. */
function packParams(params: Parameters): readonly string[] {
  const text = pairText.format(params)
  if (text.length > FCGI_MAX_CONTENT_LEN) return packRecords(params)
  return text === '' ? [] : [text]
}

function packRecords(params: Parameters): readonly string[] {
  const records: string[] = []
  let content = ''
  let total = 0
  params.forEach((value, name) => {
    const pair = formatPair(name, value)
    if (pair.length > FCGI_MAX_CONTENT_LEN) {
      throw paramsLimit(`The parameter ${name} has ${value.length} bytes; one record holds ${FCGI_MAX_CONTENT_LEN}`)
    }
    total += pair.length
    if (content.length + pair.length > FCGI_MAX_CONTENT_LEN) {
      records.push(content)
      content = ''
    }
    content += pair
  })
  if (total > MAX_PARAMS_LENGTH)
    throw paramsLimit(`The parameters have ${total} bytes; the limit is ${MAX_PARAMS_LENGTH}`)
  records.push(content)
  return records
}

function paramsLimit(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_PARAMS_LIMIT', { detail })
}

/** Writes a PARAMS record; an empty one ends the stream. */
function writeParams(bytes: Buffer, offset: number, params: { requestId: number; content: string }): number {
  const { requestId, content } = params
  const contentLength = content.length
  const at = encodeHeader(bytes, offset, { type: FCGI_PARAMS, requestId, contentLength, paddingLength: 0 })
  return contentLength === 0 ? at : at + bytes.write(content, at, 'latin1')
}
