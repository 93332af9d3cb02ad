import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { FastCgiError } from '../errors.ts'
import { awaitsContinue } from './body/body-framing.ts'
import { releaseBody } from './body/body-release.ts'
import { endLingering } from './body/lingering-end.ts'
import { breakOff } from './break-off.ts'

/** Express's and Connect's way on: the next handler, or the error handlers. */
export type Next = (error?: unknown) => void

/**
 * Ends a request that failed. Once something of the answer has gone out, only the end of the connection tells the client that
 * it is not complete; before, the host's error handling has its say, or a plain page of the status.
 */
export function sendFailure(
  error: FastCgiError,
  { req, res, next }: { readonly req: IncomingMessage; readonly res: ServerResponse; readonly next: Next | undefined },
): void {
  // Where the host has answered by itself, its answer is not ours to break off.
  if (error.code === 'ERR_FCGI_CLIENT_GONE') return
  if (res.headersSent) return breakOff(req, res)
  // finalhandler answers after the last byte of the body, and this client sends none before it is asked to.
  if (next !== undefined && !awaitsContinue(res)) return next(error)
  releaseBody(req, res)
  sendPlainPage(res, error.status, error.headers)
}

/** A page of nothing but the status. */
export function sendPlainPage(
  res: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  const page = `${status} ${STATUS_CODES[status] ?? 'Error'}\n`
  const length = Buffer.byteLength(page)
  res.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': length })
  res.write(page)
  endLingering(res)
}

/** A permanent redirect to a path of this site. */
export function sendRedirect(res: ServerResponse, location: string): void {
  res.writeHead(301, { Location: location, 'Content-Length': 0 })
  res.end()
}
