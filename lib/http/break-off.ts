import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'

/** RFC 9113 section 7. By itself, `node:http2` would be in the memory of all who never speak it. */
const INTERNAL_ERROR = 2

/**
 * Ends an answer that is not whole so that the client can tell. HTTP/2: `destroy()` would say NO_ERROR, which passes for an end.
 * HTTP/1.0 has no chunks: a connection that just closes is the end of the answer, and only one that is reset is not.
 */
export function breakOff({ httpVersion, socket }: IncomingMessage, res: ServerResponse | Http2ServerResponse): void {
  if ('stream' in res) return res.stream.close(INTERNAL_ERROR)
  const isPlainTcp = socket.remoteAddress !== undefined && !('encrypted' in socket)
  if (httpVersion === '1.0' && isPlainTcp) socket.resetAndDestroy()
  else res.destroy()
}
