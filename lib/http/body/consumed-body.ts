import { FastCgiError } from '../../errors.ts'
import type { BodyLength } from './body-framing.ts'
import type { ClientRequest } from './client-request.ts'
import { encodeForm } from './form-encoding.ts'

/** A body that other middleware has read, as bytes again. */
export interface RestoredBody {
  readonly content: Buffer
  readonly contentType: string | undefined
  /** The bytes are not in the Content-Encoding that the client announced. */
  readonly rewritten: boolean
}

/** Bytes of the shortest JSON object that is not empty, `{"":1}`. */
const SHORTEST_FULL_JSON = 6

/** Whether someone else has read from the body, or is about to: it cannot be had from the stream any more. */
export function isConsumed(req: ClientRequest): boolean {
  if (req.readableDidRead || req.readableEnded || req.readableEncoding !== null) return true
  // While anyone listens to `readable`, nothing flows for us.
  return req.listenerCount('readable') > 0
}

/** The bytes of a body that other middleware has read. Throws {@link FastCgiError} where they cannot be had. */
export function restoreBody(req: ClientRequest, length: BodyLength): RestoredBody {
  const restored = isBytes(req.rawBody) ? restoreBytes(req, req.rawBody, length) : restoreParsed(req, length)
  if (restored.content.length === 0 && typeof length === 'number' && length > 0)
    throw consumed(req, 'and kept none of it')
  return restored
}

function isBytes(body: unknown): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array
}

function restoreParsed(req: ClientRequest, length: BodyLength): RestoredBody {
  const { body } = req
  const type = mediaType(req)
  if (type.endsWith('/json') || type.endsWith('+json')) {
    return isBytes(body) && !isJsonString(body, length) ? restoreBytes(req, body, length) : restoreJson(req, length)
  }
  if (isBytes(body)) return restoreBytes(req, body, length)
  if (type === 'application/x-www-form-urlencoded') return restoreForm(req)
  throw consumed(
    req,
    body === undefined
      ? 'and left no req.body'
      : `and what it left in req.body cannot be written as ${type || 'bytes'}`,
  )
}

function restoreBytes(req: ClientRequest, body: string | Uint8Array, length: BodyLength): RestoredBody {
  if (typeof body === 'string')
    return { content: Buffer.from(body), contentType: inUtf8(req), rewritten: isEncoded(req) }
  const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  // Parsers decode what they keep; bytes as long as the client's are still its own.
  return { content, contentType: req.headers['content-type'], rewritten: isEncoded(req) && content.length !== length }
}

function restoreJson(req: ClientRequest, length: BodyLength): RestoredBody {
  const { body } = req
  const provedEmpty = req._body === true || (typeof length === 'number' && length < SHORTEST_FULL_JSON)
  if (isEmpty(body) && !provedEmpty)
    throw consumed(req, 'and left an empty req.body, which may not be what the client sent')
  let text: string | undefined
  try {
    text = JSON.stringify(body)
  } catch (cause) {
    throw consumed(req, 'and what it left in req.body cannot be written as JSON', cause)
  }
  if (text === undefined) throw consumed(req, 'and left no req.body')
  return { content: Buffer.from(text), contentType: inUtf8(req), rewritten: isEncoded(req) }
}

function restoreForm(req: ClientRequest): RestoredBody {
  const { body } = req
  if (typeof body !== 'object' || body === null) throw consumed(req, 'and left no form in req.body')
  if (isEmpty(body) && req._body !== true) throw consumed(req, 'and left an empty req.body')
  try {
    return { content: Buffer.from(encodeForm(body)), contentType: inUtf8(req), rewritten: isEncoded(req) }
  } catch (cause) {
    throw consumed(req, 'and what it left in req.body cannot be written as a form', cause)
  }
}

/** A string under a JSON type is the text itself, unless its length shows that a parser took it out of the quotes. */
function isJsonString(body: string | Uint8Array, length: BodyLength): boolean {
  if (typeof body !== 'string' || Buffer.byteLength(body) === length) return false
  return Buffer.byteLength(JSON.stringify(body)) === length
}

/** An empty object is also what body-parser 1 leaves where it has read nothing. */
function isEmpty(body: unknown): boolean {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0
}

function mediaType(req: ClientRequest): string {
  return (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function isEncoded(req: ClientRequest): boolean {
  const coding = req.headers['content-encoding']?.trim().toLowerCase() ?? ''
  return coding !== '' && coding !== 'identity'
}

/** The Content-Type of a text that was decoded and is written as UTF-8. */
function inUtf8(req: ClientRequest): string | undefined {
  return req.headers['content-type']?.replace(/(;[ \t]*charset=)(?:"[^"]*"|[^;\s]*)/i, '$1utf-8')
}

function consumed(req: ClientRequest, what: string, cause?: unknown): FastCgiError {
  const type = req.headers['content-type'] ?? 'no Content-Type'
  return new FastCgiError('ERR_FCGI_BODY_CONSUMED', {
    detail:
      `A middleware before fastcgi() has read the request body (${JSON.stringify(type)}) ${what}. Put app.use(fastcgi(...)) before` +
      ' the middleware that reads bodies (multer, busboy, express.json and the like), or mount that one only where PHP does not' +
      ' serve, or let it keep the bytes in req.rawBody',
    cause,
  })
}
