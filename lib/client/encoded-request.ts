import type { Readable } from 'node:stream'
import { FCGI_KEEP_CONN, FCGI_MAX_CONTENT_LEN, FCGI_RESPONDER } from '../protocol/constants.ts'
import { encodeRequest } from '../protocol/encoder.ts'
import type { Parameters } from '../protocol/pair-text.ts'

/** A body on its way to the backend. */
export interface RequestStdin {
  /** Bytes; what CONTENT_LENGTH says. */
  readonly length: number
  /** The bytes, where they are at hand. */
  readonly content: Buffer | null
  /** The bytes as a stream, where they are not; whoever opened it destroys it. */
  open(): Readable
}

/** What a request says; the same for every attempt. */
export interface RequestContent {
  readonly params: Parameters
  /** Null: no body. */
  readonly stdin: RequestStdin | null
  /** Ask the backend to leave the connection open. */
  readonly keepConnection: boolean
}

/** A request as bytes, ready to be sent, more than once if need be. */
export interface EncodedRequest {
  /** BEGIN_REQUEST, PARAMS and, where it is short, STDIN: one write. Its request id is stamped in when it is sent. */
  readonly opening: Buffer
  /** What follows in records of its own. */
  readonly stdin: RequestStdin | null
}

/** Longest body that goes into one write with its parameters; a longer one is not worth the copy. */
const ONE_WRITE_LIMIT = FCGI_MAX_CONTENT_LEN

const EMPTY = Buffer.alloc(0)

/** Until a connection is known. */
const UNNUMBERED = 1

/**
 * Encodes a request before a connection is taken for it.
 * @throws FastCgiError ERR_FCGI_PARAMS_LIMIT
 */
export function encodeClientRequest({ params, stdin, keepConnection }: RequestContent): EncodedRequest {
  const body = stdin === null || stdin.length === 0 ? EMPTY : stdin.content
  const atHand = body !== null && body.length <= ONE_WRITE_LIMIT
  const opening = encodeRequest({
    requestId: UNNUMBERED,
    role: FCGI_RESPONDER,
    flags: keepConnection ? FCGI_KEEP_CONN : 0,
    params,
    stdin: atHand ? body : undefined,
  })
  return { opening, stdin: atHand ? null : stdin }
}
