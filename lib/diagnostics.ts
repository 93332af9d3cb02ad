import { type Channel, channel } from 'node:diagnostics_channel'
import type { FastCgiError } from './errors.ts'

/** Payload of `express-fastcgi:request:start`: a request is about to wait for a connection. */
export interface RequestStartMessage {
  readonly method: string
  /** REQUEST_URI. */
  readonly url: string
  readonly location: string
  /** SCRIPT_FILENAME. */
  readonly script: string
}

/** Payload of `express-fastcgi:request:head`: the head of the answer has gone to the client. */
export interface RequestHeadMessage extends RequestStartMessage {
  readonly status: number
}

/** Payload of `express-fastcgi:request:end`: the answer has gone to the client, whole. */
export interface RequestEndMessage extends RequestHeadMessage {
  /** Milliseconds since the start. */
  readonly duration: number
}

/** Payload of `express-fastcgi:request:error`. */
export interface RequestErrorMessage extends RequestStartMessage {
  readonly error: FastCgiError
  /** Milliseconds since the start. */
  readonly duration: number
}

/** Why a connection to a backend was closed. */
export type CloseReason =
  | 'not kept' // the request was sent without FCGI_KEEP_CONN, or may not share its connection with a next one
  | 'idle' // idleTimeout
  | 'worn' // maxRequests
  | 'given up' // a new connection waits for a child of the backend that this one would pin
  | 'aborted' // the client left, or a deadline passed
  | 'failed' // the request on it failed
  | 'backend' // the backend closed it
  | 'unexpected' // bytes came that no request asked for
  | 'shutdown' // close()

/** Payload of `express-fastcgi:connection:open` (the backend has accepted it). */
export interface ConnectionOpenMessage {
  readonly address: string
}

/** Payload of `express-fastcgi:connection:close`. */
export interface ConnectionCloseMessage extends ConnectionOpenMessage {
  readonly reason: CloseReason
  /** Requests that it carried. */
  readonly requests: number
}

/** Payload of `express-fastcgi:pool:wait`: every connection is busy, a request waits. */
export interface PoolWaitMessage {
  readonly server: string
  /** Requests that wait, this one included. */
  readonly waiting: number
}

/** Payload of `express-fastcgi:backend:retry`: a request is sent again. */
export interface BackendRetryMessage {
  readonly server: string
  /** 1 for the first repetition. */
  readonly attempt: number
  readonly error: FastCgiError
}

/** A channel that takes payloads of one type. */
export interface TypedChannel<Message> {
  /** The name to hand to `diagnostics_channel.subscribe`. */
  readonly name: string
  readonly hasSubscribers: boolean
  publish(message: Message): void
}

function typed<Message>(name: string): TypedChannel<Message> {
  const typeless: Channel = channel(`express-fastcgi:${name}`)
  return typeless as unknown as TypedChannel<Message>
}

/** All channels of `node:diagnostics_channel` that this package publishes on; ask `hasSubscribers` before building a payload. */
export const channels: {
  readonly requestStart: TypedChannel<RequestStartMessage>
  readonly requestHead: TypedChannel<RequestHeadMessage>
  readonly requestEnd: TypedChannel<RequestEndMessage>
  readonly requestError: TypedChannel<RequestErrorMessage>
  readonly connectionOpen: TypedChannel<ConnectionOpenMessage>
  readonly connectionClose: TypedChannel<ConnectionCloseMessage>
  readonly poolWait: TypedChannel<PoolWaitMessage>
  readonly backendRetry: TypedChannel<BackendRetryMessage>
} = {
  requestStart: typed('request:start'),
  requestHead: typed('request:head'),
  requestEnd: typed('request:end'),
  requestError: typed('request:error'),
  connectionOpen: typed('connection:open'),
  connectionClose: typed('connection:close'),
  poolWait: typed('pool:wait'),
  backendRetry: typed('backend:retry'),
}
