import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'

/** Node's request, that of HTTP/1 or of HTTP/2's compatibility API, and what body parsers put on it. */
export type ClientRequest = (IncomingMessage | Http2ServerRequest) & {
  readonly body?: unknown
  /** The habit of several parsers: the bytes as they came. */
  readonly rawBody?: unknown
  /** body-parser 1 sets it where it has parsed the body itself. */
  readonly _body?: unknown
}
