import { type Channel, channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { FastCgiError } from './errors.ts'

/** What all messages of one request share. */
export interface RequestMessage {
  /** The request's number in this process: the same in each of its messages, another for every request. */
  readonly request: number
}

/** Payload of `express-fastcgi:request:start`: a request is about to wait for a connection. */
export interface RequestStartMessage extends RequestMessage {
  /** As the host has it, and as the functions of `params` get it: they are called after the start. */
  readonly req: IncomingMessage
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
  | 'recalled' // there may be fewer connections now: another cluster worker needs them, or maxConnections is less
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
export interface PoolWaitMessage extends RequestMessage {
  readonly location: string
  /** Requests of the location that wait, this one included. */
  readonly waiting: number
}

/** Payload of `express-fastcgi:backend:retry`: a request is sent again. */
export interface BackendRetryMessage extends RequestMessage {
  /** Where it failed. */
  readonly server: string
  /** 1 for the first repetition. */
  readonly attempt: number
  readonly error: FastCgiError
}

/** Which backend a message is of. */
export interface BackendMessage {
  readonly server: string
  /** Null: one of ours that has not started. */
  readonly address: string | null
}

/** Payload of `express-fastcgi:backend:attempt`: a request is about to be sent there, for the first time or again. */
export interface BackendAttemptMessage extends RequestMessage, BackendMessage {}

/** Payload of `express-fastcgi:backend:down`: it is given no more requests. */
export interface BackendDownMessage extends BackendMessage {
  /** The last straw. */
  readonly error: FastCgiError
  /** When it is tried again at the earliest, in milliseconds since 1970. */
  readonly until: number
}

/** Payload of `express-fastcgi:backend:up`: it is given requests again. */
export interface BackendUpMessage extends BackendMessage {
  /** Milliseconds. */
  readonly downFor: number
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
  readonly backendAttempt: TypedChannel<BackendAttemptMessage>
  readonly backendRetry: TypedChannel<BackendRetryMessage>
  readonly backendDown: TypedChannel<BackendDownMessage>
  readonly backendUp: TypedChannel<BackendUpMessage>
} = {
  requestStart: typed('request:start'),
  requestHead: typed('request:head'),
  requestEnd: typed('request:end'),
  requestError: typed('request:error'),
  connectionOpen: typed('connection:open'),
  connectionClose: typed('connection:close'),
  poolWait: typed('pool:wait'),
  backendAttempt: typed('backend:attempt'),
  backendRetry: typed('backend:retry'),
  backendDown: typed('backend:down'),
  backendUp: typed('backend:up'),
}
