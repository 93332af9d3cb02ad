import { FastCgiError } from '../../errors.ts'
import type { ClientResponse } from '../answer/client-response.ts'
import type { ClientRequest } from './client-request.ts'

/** Bytes of a body; `none`: there is none; `unknown`: its end will tell (chunked, HTTP/2). */
export type BodyLength = number | 'none' | 'unknown'

/** How long the body of a request is, by its head (RFC 9112 section 6.3, RFC 9113 section 8.1.1). */
export function bodyLength(req: ClientRequest): BodyLength {
  const coding = req.headers['transfer-encoding']
  if (coding !== undefined) {
    if (coding.trim().toLowerCase() === 'chunked') return 'unknown'
    throw new FastCgiError('ERR_FCGI_TRANSFER_CODING', {
      detail: `The client sent Transfer-Encoding: ${JSON.stringify(coding)}; none but "chunked" is understood`,
    })
  }
  const length = req.headers['content-length']
  if (length !== undefined) return parseLength(length)
  return 'stream' in req && !req.stream.endAfterHeaders ? 'unknown' : 'none'
}

/** RFC 9110 section 10.1.1: an expectation that is not known is refused. Node hands such a request on only if the host asked for it. */
export function refuseExpectation(req: ClientRequest): void {
  const { expect } = req.headers
  if (expect === undefined || isContinue(expect)) return
  throw new FastCgiError('ERR_FCGI_EXPECTATION', {
    detail: `The client sent Expect: ${JSON.stringify(expect)}; none but "100-continue" is understood`,
  })
}

/** Whether an HTTP/1 client holds its body back until it hears 100: what waits for that body waits for ever. */
export function awaitsContinue(res: ClientResponse): boolean {
  return res._expect_continue === true && res._sent100 !== true
}

/** The body is going to be read now: a client that waits for 100 hears so, unless Node or the host has told it. */
export function continueIfExpected(req: ClientRequest, res: ClientResponse): void {
  if (req.headers.expect === undefined || res.headersSent) return
  if (res.stream === undefined) {
    if (awaitsContinue(res)) res.writeContinue()
    return
  }
  const told = res.stream.sentInfoHeaders?.some((head) => head[':status'] === 100) ?? false
  if (!told && isContinue(req.headers.expect)) res.writeContinue()
}

function isContinue(expect: string): boolean {
  return expect.trim().toLowerCase() === '100-continue'
}

function parseLength(text: string): number {
  const length = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(length)) return length
  throw new FastCgiError('ERR_FCGI_BODY_LENGTH', { detail: `The client sent Content-Length: ${JSON.stringify(text)}` })
}
