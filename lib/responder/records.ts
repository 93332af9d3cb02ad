import { BODY_LENGTH, type EndRequestBody, encodeEndRequestBody, encodeUnknownTypeBody } from '../protocol/bodies.ts'
import {
  FCGI_END_REQUEST,
  FCGI_GET_VALUES_RESULT,
  FCGI_HEADER_LEN,
  FCGI_NULL_REQUEST_ID,
  FCGI_STDERR,
  FCGI_STDOUT,
  FCGI_UNKNOWN_TYPE,
} from '../protocol/constants.ts'
import { encodePairs, encodeRecord } from '../protocol/encoder.ts'
import { encodeHeader } from '../protocol/header.ts'

/** Refuses or finishes a request. */
export function encodeEndRequest(requestId: number, body: EndRequestBody): Buffer {
  return closeStreams(requestId, [], body)
}

/** The ends of STDOUT and, where it was used, of STDERR, then END_REQUEST, in one buffer. */
export function encodeResponseEnd(requestId: number, body: EndRequestBody, stderrUsed: boolean): Buffer {
  return closeStreams(requestId, stderrUsed ? [FCGI_STDOUT, FCGI_STDERR] : [FCGI_STDOUT], body)
}

function closeStreams(requestId: number, streams: readonly number[], body: EndRequestBody): Buffer {
  const bytes = Buffer.allocUnsafe(FCGI_HEADER_LEN * (streams.length + 1) + BODY_LENGTH)
  let at = 0
  for (const type of streams) at = encodeHeader(bytes, at, { type, requestId, contentLength: 0, paddingLength: 0 })
  at = encodeHeader(bytes, at, { type: FCGI_END_REQUEST, requestId, contentLength: BODY_LENGTH, paddingLength: 0 })
  encodeEndRequestBody(bytes, at, body)
  return bytes
}

/** Tells a web server that a management record was not understood (FastCGI 1.0 section 4.2). */
export function encodeUnknownType(type: number): Buffer {
  const content = Buffer.allocUnsafe(BODY_LENGTH)
  encodeUnknownTypeBody(content, 0, type)
  return encodeRecord({ type: FCGI_UNKNOWN_TYPE, requestId: FCGI_NULL_REQUEST_ID, content })
}

/** Answers GET_VALUES (FastCGI 1.0 section 4.1). */
export function encodeGetValuesResult(values: ReadonlyMap<string, string>): Buffer {
  const content = encodePairs(values)
  return encodeRecord({ type: FCGI_GET_VALUES_RESULT, requestId: FCGI_NULL_REQUEST_ID, content })
}
