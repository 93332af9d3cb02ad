import { badHead, type HeaderField } from '../../cgi/response-fields.ts'
import { type ClientResponse, isStreamResponse } from './client-response.ts'

/**
 * Bytes of the longest head that Node sends over HTTP/2 (`maxSendHeaderBlockLength`, by default). The stream of a longer one would end
 * without an answer, and without an error that could still be told.
 */
const LONGEST_HEAD = 64 * 1024

/** How nghttp2 reckons beforehand: so much for each field, besides its name and value. */
const FIELD_OVERHEAD = 12

/** What Node adds: `:status`, `date`, `content-length`. */
const NODES_OWN = 128

/** Refuses a head that HTTP/2 cannot send; throws {@link FastCgiError}. */
export function refuseLongHead(res: ClientResponse, fields: readonly HeaderField[]): void {
  if (!isStreamResponse(res)) return
  let length = NODES_OWN
  for (const name of res.getHeaderNames()) {
    // A list is a field for each value.
    for (const value of [res.getHeader(name)].flat()) length += name.length + String(value).length + FIELD_OVERHEAD
  }
  for (const { name, value } of fields) length += name.length + value.length + FIELD_OVERHEAD
  if (length > LONGEST_HEAD)
    throw badHead(`it may take ${length} bytes, and over HTTP/2 no more than ${LONGEST_HEAD} can be sent`)
}
