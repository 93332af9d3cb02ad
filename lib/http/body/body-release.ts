import type { ClientResponse } from '../answer/client-response.ts'
import type { ClientRequest } from './client-request.ts'

/** Bytes of an unwanted body that are still read, so that the connection can be used again. */
const MOST_DRAINED = 16 * 1024 * 1024

/** Milliseconds for which they are read. */
export const LONGEST_DRAIN: number = 10_000

/**
 * Lets go of what the client still sends: it is read and dropped, so that the client, which may read no answer before it has sent
 * all, gets its answer. Beyond the limits it is not read any more, and the connection ends after the answer. While no answer has begun
 * it goes on being read (Express's error page waits for the end of the body; the server's requestTimeout bounds that).
 */
export function releaseBody(req: ClientRequest, res: ClientResponse): void {
  if (req.readableEnded || req.destroyed) return
  let drained = 0
  let exceeded = false
  const onData = (chunk: Buffer): void => {
    drained += chunk.length
    if (drained > MOST_DRAINED) exceeded = true
    limit()
  }
  const onTimeout = (): void => {
    exceeded = true
    limit()
  }
  const limit = (): void => {
    if (!exceeded || !res.headersSent) return
    req.pause()
    if (res.writableFinished) endConnection()
  }
  const endConnection = (): void => {
    stop()
    if (res.stream === undefined) req.destroy()
    // NO_ERROR, RFC 9113 section 8.1: the answer is whole, the rest of the request is not needed.
    else res.stream.close(0)
  }
  const stop = (): void => {
    clearTimeout(timer)
    req.removeListener('data', onData)
    req.removeListener('end', stop)
    req.removeListener('close', stop)
    res.removeListener('finish', limit)
  }
  const timer = setTimeout(onTimeout, LONGEST_DRAIN).unref()
  req.on('data', onData)
  req.on('end', stop)
  req.on('close', stop)
  res.on('finish', limit)
  req.resume()
}
