import type { ClientResponse } from '../answer/client-response.ts'
import { LONGEST_DRAIN } from './body-release.ts'

/**
 * Ends a response whose content was written. Where the connection closes behind it and the client is still sending, that waits
 * for the client's last byte, in bounds: closing with bytes unread resets the connection, and a client that is reset before it
 * reads loses the answer (RFC 9112 section 9.6). The body must be on its way out: {@link releaseBody}.
 */
export function endLingering(res: ClientResponse): void {
  const { req } = res
  if (!closesEarly(res)) {
    res.end()
    return
  }
  const end = (): void => {
    clearTimeout(timer)
    req.removeListener('end', end)
    req.removeListener('close', end)
    res.end()
  }
  const timer = setTimeout(end, LONGEST_DRAIN)
  req.on('end', end)
  req.on('close', end)
}

/** Whether the end of the response closes a connection on which the client is still sending. */
export function closesEarly(res: ClientResponse): boolean {
  // HTTP/2 has no such property.
  if (res.shouldKeepAlive !== false) return false
  const { req } = res
  if (req.complete || req.destroyed) return false
  // Node calls a request without a body complete a moment after it has handed it over.
  return req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined
}
