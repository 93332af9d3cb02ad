import { createHash, type Hash } from 'node:crypto'
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { decodeBeginRequestBody } from '../../lib/protocol/bodies.ts'
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_STDIN,
} from '../../lib/protocol/constants.ts'
import { RecordDecoder } from '../../lib/protocol/decoder.ts'
import { decodePairs } from '../../lib/protocol/name-value.ts'
import { answer, end, type RecordShape, stderr, stdout } from './responder-records.ts'

/** What the connection tells the fake responder. */
export interface FakeConnectionOwner {
  readonly discardStdin: boolean
  /** PARAMS are complete. */
  onRequest(request: FakeRequest): void
  /** Something that a gateway must never do, or a script that threw. */
  onFailure(failure: Error): void
  /** Anything at all happened. */
  onChange(): void
  until(condition: () => boolean): Promise<void>
}

/** One connection from the gateway to the fake responder. */
export class FakeConnection {
  /** 1 for the first that was accepted. */
  readonly number: number
  readonly requests: FakeRequest[] = []
  /** Types of records other than BEGIN, ABORT, PARAMS and STDIN, in their order. */
  readonly otherRecords: { readonly type: number; readonly requestId: number; readonly content: Buffer }[] = []
  bytesReceived = 0
  /** Reads of the socket that brought something. */
  reads = 0
  /** The gateway closed, at least its half. */
  ended = false
  closed = false
  readonly #socket: Socket
  readonly #owner: FakeConnectionOwner
  readonly #active: Map<number, FakeRequest> = new Map()

  constructor(socket: Socket, number: number, owner: FakeConnectionOwner) {
    this.number = number
    this.#socket = socket
    this.#owner = owner
    const decoder = new RecordDecoder({
      onStreamContent: (type, id, content) => this.#onContent(type, id, content),
      onStreamEnd: (type, id) => this.#onEnd(type, id),
      onRecord: (type, id, content) => this.#onRecord(type, id, content),
    })
    socket.on('data', (bytes: Buffer) => {
      this.bytesReceived += bytes.length
      this.reads += 1
      try {
        decoder.push(bytes)
      } catch (error) {
        this.#fail(error)
      }
      owner.onChange()
    })
    socket.on('end', () => {
      this.ended = true
      owner.onChange()
    })
    // The gateway may leave in the middle of our write; tests look at `closed`.
    socket.on('error', () => owner.onChange())
    socket.on('close', () => {
      this.closed = true
      owner.onChange()
    })
  }

  /** Writes these bytes as they are, each piece by itself, with a turn of the event loop between two. */
  async send(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await turn()
      await this.#write(piece)
    }
  }

  /** Resolves when the kernel has taken the bytes: a gateway that holds back holds this. */
  #write(piece: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed || this.#socket.writableEnded) return resolve()
      const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
      this.#socket.write(bytes, () => resolve())
    })
  }

  /** Sends what was written, then closes both halves. */
  close(): void {
    this.#socket.destroySoon()
  }

  /** RST on TCP; on a unix socket the nearest thing, a close at once. */
  reset(): void {
    if (this.#socket.remoteAddress === undefined) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  /** FIN: nothing more will be sent, reading goes on. */
  halfClose(): void {
    this.#socket.end()
  }

  /** Stops reading, so that the gateway feels back-pressure. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Waits for something to become true; asked after every event at this fake responder. */
  until(condition: () => boolean): Promise<void> {
    return this.#owner.until(condition)
  }

  #fail(error: unknown): void {
    this.#owner.onFailure(error instanceof Error ? error : new Error(String(error)))
    this.#socket.destroy()
  }

  #request(type: number, id: number): FakeRequest {
    const request = this.#active.get(id)
    if (request === undefined) throw new Error(`The gateway sent type ${type} for request ${id}, which was not begun`)
    return request
  }

  #onContent(type: number, id: number, content: Buffer): void {
    const request = this.#request(type, id)
    if (type === FCGI_PARAMS) {
      request.addParams(content)
      return
    }
    if (type !== FCGI_STDIN) throw new Error(`The gateway sent a stream of type ${type}`)
    if (request.stdinEnded) throw new Error('The gateway sent STDIN after its end')
    request.addStdin(content, !this.#owner.discardStdin)
  }

  #onEnd(type: number, id: number): void {
    const request = this.#request(type, id)
    if (type === FCGI_STDIN) {
      request.stdinEnded = true
      return
    }
    if (type !== FCGI_PARAMS) throw new Error(`The gateway sent a stream of type ${type}`)
    request.endParams()
    this.#owner.onRequest(request)
  }

  #onRecord(type: number, id: number, content: Buffer): void {
    if (type === FCGI_BEGIN_REQUEST) this.#begin(id, content)
    else if (type === FCGI_ABORT_REQUEST) this.#request(type, id).aborted = true
    else this.otherRecords.push({ type, requestId: id, content })
  }

  #begin(id: number, content: Buffer): void {
    if (id === 0) throw new Error('The gateway began a request with id 0')
    const before = this.#active.get(id)
    if (before !== undefined && !before.ended) throw new Error(`The gateway began request ${id} twice`)
    const request = new FakeRequest(this, id, decodeBeginRequestBody(content))
    this.#active.set(id, request)
    this.requests.push(request)
  }
}

/** A request as it came to the fake responder, and the raw control over what goes back. */
export class FakeRequest {
  readonly id: number
  readonly role: number
  readonly flags: number
  readonly connection: FakeConnection
  /** Complete when the script is called. */
  readonly params: Map<string, string> = new Map()
  /** The pairs in the order in which they came, with their repeats. */
  readonly pairs: [string, string][] = []
  /** Bytes of STDIN so far. */
  stdinLength = 0
  stdinEnded = false
  aborted = false
  /** Whether {@link FakeRequest.end} or {@link FakeRequest.answer} was called. */
  ended = false
  #paramsBytes: Buffer[] = []
  #stdin: Buffer[] = []
  readonly #hash: Hash = createHash('sha256')

  constructor(connection: FakeConnection, id: number, begin: { readonly role: number; readonly flags: number }) {
    this.connection = connection
    this.id = id
    this.role = begin.role
    this.flags = begin.flags
  }

  get keepConn(): boolean {
    return (this.flags & FCGI_KEEP_CONN) !== 0
  }

  /** STDIN so far; empty with the option `discardStdin`. */
  get stdin(): Buffer {
    return Buffer.concat(this.#stdin)
  }

  /** SHA-256 of STDIN so far, in hex. */
  get stdinHash(): string {
    return this.#hash.copy().digest('hex')
  }

  /** The whole STDIN, once the empty record ended it; rejects when the connection is closed before. */
  async body(): Promise<Buffer> {
    await this.connection.until(() => this.stdinEnded || this.connection.closed)
    if (!this.stdinEnded) throw new Error(`The connection was closed after ${this.stdinLength} bytes of STDIN`)
    return this.stdin
  }

  /** When the gateway gave the request up, by ABORT_REQUEST or by closing the connection. */
  async gone(): Promise<void> {
    await this.connection.until(() => this.aborted || this.connection.closed)
  }

  /** Writes these bytes as they are, each piece by itself, with a turn of the event loop between two. */
  send(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    return this.connection.send(...pieces)
  }

  stdout(content: string | Uint8Array, shape: RecordShape = {}): Promise<void> {
    return this.send(stdout(content, { requestId: this.id, ...shape }))
  }

  stderr(content: string | Uint8Array, shape: RecordShape = {}): Promise<void> {
    return this.send(stderr(content, { requestId: this.id, ...shape }))
  }

  end(shape: RecordShape & { readonly appStatus?: number; readonly protocolStatus?: number } = {}): Promise<void> {
    this.ended = true
    return this.send(end({ requestId: this.id, ...shape }))
  }

  /** A whole answer in one write. */
  answer(headAndBody: string | Uint8Array, shape: RecordShape = {}): Promise<void> {
    this.ended = true
    return this.send(answer(headAndBody, { requestId: this.id, ...shape }))
  }

  /** @internal */
  addParams(content: Buffer): void {
    this.#paramsBytes.push(content)
  }

  /** @internal */
  endParams(): void {
    for (const pair of decodePairs(Buffer.concat(this.#paramsBytes))) {
      this.pairs.push(pair)
      this.params.set(...pair)
    }
    this.#paramsBytes = []
  }

  /** @internal */
  addStdin(content: Buffer, keep: boolean): void {
    this.stdinLength += content.length
    this.#hash.update(content)
    if (keep) this.#stdin.push(content)
  }
}
