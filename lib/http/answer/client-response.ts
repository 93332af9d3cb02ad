import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'

/** Node's response, that of HTTP/1 or of HTTP/2's compatibility API: as much of it as both have and we use. */
export interface ClientResponse {
  readonly req: {
    readonly httpVersion: string
    readonly headers: IncomingHttpHeaders
    /** All of the request has come. */
    readonly complete: boolean
    /** HTTP/1: what Node's own socket timeouts look at, `_handle` is not documented. */
    readonly socket: {
      readonly writableLength: number
      readonly _handle?: { readonly writeQueueSize?: number } | null
    }
    readonly destroyed: boolean
    on(event: 'end' | 'close', listener: () => void): unknown
    removeListener(event: 'end' | 'close', listener: () => void): unknown
  }
  /** HTTP/1: null while the answer waits for those before it on its connection (pipelining). */
  readonly socket?: unknown
  /** HTTP/1 only: false where the connection closes behind the answer. */
  readonly shouldKeepAlive?: boolean
  readonly headersSent: boolean
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  /** HTTP/1 only; of HTTP/2 the stream says it. */
  readonly destroyed?: boolean
  /** HTTP/2 only. */
  readonly stream?: {
    readonly destroyed: boolean
    readonly closed: boolean
    readonly bufferSize: number
    readonly sentInfoHeaders?: readonly OutgoingHttpHeaders[] | undefined
    close(code: number): void
  }
  /** HTTP/1 only, not documented: the client waits for 100. */
  readonly _expect_continue?: boolean
  /** HTTP/1 only, not documented: it was told. */
  readonly _sent100?: boolean
  getHeaderNames(): string[]
  getHeader(name: string): number | string | string[] | undefined
  setHeader(name: string, value: number | string | string[]): unknown
  removeHeader(name: string): void
  writeContinue(): unknown
  writeEarlyHints(hints: Record<string, string | string[]>): unknown
  writeHead(status: number, reason?: string): unknown
  write(content: Uint8Array): boolean
  write(content: string, encoding: 'latin1'): boolean
  end(): unknown
  end(content: Uint8Array): unknown
  end(content: string, encoding: 'latin1'): unknown
  /** Put there by middleware that compresses. */
  readonly flush?: () => void
  on(event: 'drain' | 'finish' | 'close', listener: () => void): unknown
  removeListener(event: 'drain' | 'finish' | 'close', listener: () => void): unknown
}

/** A response of HTTP/2's compatibility API. */
export type StreamResponse = ClientResponse & { readonly stream: NonNullable<ClientResponse['stream']> }

/**
 * Told by what HTTP/1's response has of its own: to find that it has no `stream` takes a look at each prototype that Express has put before
 * Node's, 0.4 µs each time.
 */
export function isStreamResponse(res: ClientResponse): res is StreamResponse {
  return res.destroyed === undefined
}

/** Whether the client has gone away. */
export function isGone(res: ClientResponse): boolean {
  return isStreamResponse(res) ? res.stream.destroyed || res.stream.closed : res.destroyed === true
}

/** Whether the client has gone away or someone else has ended the answer: nothing can be written any more. */
export function isOver(res: ClientResponse): boolean {
  return res.writableEnded || isGone(res)
}
