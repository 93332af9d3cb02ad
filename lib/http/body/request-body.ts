import { Readable } from 'node:stream'
import { FastCgiError } from '../../errors.ts'
import type { ClientResponse } from '../answer/client-response.ts'
import { bodyTooLarge, collectBody } from './body-collector.ts'
import { type AwaitedClient, BodyDeadline } from './body-deadline.ts'
import { bodyLength, continueIfExpected, refuseExpectation } from './body-framing.ts'
import { clientGone } from './body-reading.ts'
import { releaseBody } from './body-release.ts'
import { BodySource } from './body-source.ts'
import type { ClientRequest } from './client-request.ts'
import { isConsumed, restoreBody } from './consumed-body.ts'

/** The part of a location's options that a request body obeys. */
export interface BodyRules {
  readonly requestBuffering: 'auto' | 'on' | 'off'
  /** Bytes; a longer body is 413. */
  readonly bodyLimit: number
  /** Milliseconds for which the next bytes of it are waited for; 0: for ever. */
  readonly clientTimeout: number
}

/** A request body of known length. The one who received it must {@link RequestBody.close} it. */
export interface RequestBody {
  readonly length: number
  /** The bytes, if they are in memory. */
  readonly content: Buffer | null
  /** It may be sent again. */
  readonly repeatable: boolean
  /** What CONTENT_TYPE must say. */
  readonly contentType: string | undefined
  /** HTTP_CONTENT_ENCODING must go: middleware has decoded the body. */
  readonly rewritten: boolean
  /** Where `content` is null: exactly `length` bytes, or an error. May be called again where `repeatable`. */
  open(): Readable
  /** Releases the temporary file and lets go of what the client still sends. */
  close(): void
}

interface Exchange {
  readonly req: ClientRequest
  readonly res: ClientResponse
  readonly rules: BodyRules
  readonly client: AwaitedClient
}

/** Bytes of a body of known length that are gathered before a backend is taken, under `auto`. */
const MOST_GATHERED = 64 * 1024

const EMPTY: Buffer = Buffer.alloc(0)

/**
 * The body of a request, or null where it has none; a promise only where the client has to be waited for. Throws (or rejects with)
 * {@link FastCgiError}; what the client then still sends is let go of.
 */
export function receiveBody(
  req: ClientRequest,
  res: ClientResponse,
  rules: BodyRules,
  client: AwaitedClient,
): Promise<RequestBody> | RequestBody | null {
  try {
    refuseExpectation(req)
    const length = bodyLength(req)
    return length === 'none' ? null : receive({ req, res, rules, client }, length)
  } catch (error) {
    releaseBody(req, res)
    throw error
  }
}

function receive(exchange: Exchange, length: number | 'unknown'): Promise<RequestBody> | RequestBody {
  const { req, rules } = exchange
  if (length !== 'unknown' && length > rules.bodyLimit) throw bodyTooLarge(rules.bodyLimit)
  if (length === 0) return inMemory(exchange, EMPTY)
  if (req.aborted) throw clientGone()
  if (req.readableEnded && !req.readableDidRead && length === 'unknown') return inMemory(exchange, EMPTY)
  if (isConsumed(req)) return restored(exchange, length)
  if (req.destroyed) throw clientGone()
  if (rules.requestBuffering === 'off') return streamed(exchange, length)
  if (rules.requestBuffering === 'auto' && length !== 'unknown' && length > MOST_GATHERED)
    return streamed(exchange, length)
  return collected(exchange, length)
}

function restored(exchange: Exchange, length: number | 'unknown'): RequestBody {
  const { content, contentType, rewritten } = restoreBody(exchange.req, length)
  if (content.length > exchange.rules.bodyLimit) throw bodyTooLarge(exchange.rules.bodyLimit)
  return { ...inMemory(exchange, content), contentType, rewritten }
}

async function collected({ req, res, rules, client }: Exchange, length: number | 'unknown'): Promise<RequestBody> {
  try {
    continueIfExpected(req, res)
    const deadline = new BodyDeadline(client, rules.clientTimeout)
    const body = await collectBody(req, { length, bodyLimit: rules.bodyLimit, client, deadline })
    if (Buffer.isBuffer(body)) return inMemory({ req, res }, body)
    return {
      length: body.length,
      content: null,
      repeatable: true,
      contentType: req.headers['content-type'],
      rewritten: false,
      open: () => body.open(),
      close: () => body.close(),
    }
  } catch (error) {
    releaseBody(req, res)
    throw error
  }
}

function inMemory({ req, res }: Pick<Exchange, 'req' | 'res'>, content: Buffer): RequestBody {
  return {
    length: content.length,
    content,
    repeatable: true,
    contentType: req.headers['content-type'],
    rewritten: false,
    open: () => Readable.from([content], { objectMode: false }),
    close: () => releaseBody(req, res),
  }
}

function streamed({ req, res, rules, client }: Exchange, length: number | 'unknown'): RequestBody {
  if (length === 'unknown') {
    throw new FastCgiError('ERR_FCGI_LENGTH_REQUIRED', {
      detail:
        'The body has no Content-Length, which FastCGI needs first, and requestBuffering "off" keeps nothing: use "auto"',
    })
  }
  let source: BodySource | null = null
  return {
    length,
    content: null,
    repeatable: false,
    contentType: req.headers['content-type'],
    rewritten: false,
    open() {
      continueIfExpected(req, res)
      source?.destroy()
      source = new BodySource(req, length, new BodyDeadline(client, rules.clientTimeout))
      return source
    },
    close() {
      source?.destroy()
      releaseBody(req, res)
    },
  }
}
