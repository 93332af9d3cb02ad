import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type FastCgiErrorCode, type FastCgiHandler, type FastCgiOptions, fastcgi } from '../../lib/index.ts'
import { type Fake, type FakeOptions, type FakeScript, startFake } from './responder.ts'
import { listen } from './site.ts'

/** What `next(err)` was called with. */
export interface SeenError {
  readonly code: FastCgiErrorCode
  readonly status: number
  readonly expose: boolean
  readonly message: string
  readonly detail: string
  readonly cause: unknown
}

/** How {@link fakedSite} serves. */
export interface FakedSiteOptions {
  readonly fake?: FakeOptions
  /** Instead of the fake responder's. */
  readonly address?: string
  /** Calls the gateway with `next`, whose error is answered by its status and nothing else. Default false. */
  readonly next?: boolean
  /** Done with each request before the gateway sees it, as middleware does. */
  readonly prepare?: (req: IncomingMessage) => void | Promise<void>
  readonly server?: { readonly maxConnections?: number; readonly maxRequests?: number; readonly idleTimeout?: number }
}

/** A gateway behind node:http before a fake responder: every path runs /app/x.php. */
export interface FakedSite extends AsyncDisposable {
  readonly fake: Fake
  readonly handler: FastCgiHandler
  readonly url: string
  readonly port: number
  readonly log: string[]
  readonly errors: SeenError[]
  /** Requests that came out of the HTTP parser. */
  readonly received: readonly IncomingMessage[]
  /** Sends bytes and gives all that came back, as latin1, until the connection was closed. */
  raw(request: string | Buffer): Promise<string>
  /** The answer to `GET /` with `Connection: close`, whole and raw. */
  get(path?: string): Promise<string>
  /** A client of which the test has every byte in its hand. */
  client(request: string | Buffer): RawClient
}

/** A raw connection to the site. */
export interface RawClient {
  readonly socket: Socket
  readonly text: string
  readonly closed: boolean
  /** Waits until what came contains the text; rejects when the connection is closed before. */
  contains(text: string): Promise<void>
  /** All that came until the connection was closed. */
  end(): Promise<string>
}

/** Opens a raw connection and sends the bytes. */
export function rawClient(port: number, request: string | Buffer): RawClient {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let closed = false
  const waiting = new Set<() => void>()
  const changed = (): void => {
    for (const look of waiting) look()
  }
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
    changed()
  })
  socket.on('close', () => {
    closed = true
    changed()
  })
  socket.write(request)
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  return {
    socket,
    get text() {
      return received
    },
    get closed() {
      return closed
    },
    async contains(text) {
      await until(() => closed || received.includes(text))
      if (!received.includes(text))
        throw new Error(`closed without ${JSON.stringify(text)}: ${JSON.stringify(received)}`)
    },
    async end() {
      await until(() => closed)
      return received
    },
  }
}

/**
 * Starts a fake responder and a site before it.
 *
 *     await using site = await fakedSite((r) => r.answer('A: b\r\n\r\nhello'), { keepAlive: true })
 *     assert.match(await site.get(), /hello$/)
 *
 * The end of the scope fails the test when the gateway broke the protocol.
 */
export async function fakedSite(
  script: FakeScript,
  options: Omit<FastCgiOptions, 'server' | 'servers' | 'logger'> = {},
  more: FakedSiteOptions = {},
): Promise<FakedSite> {
  const fake = await startFake(script, more.fake)
  const log: string[] = []
  const errors: SeenError[] = []
  const received: IncomingMessage[] = []
  const note = (message: string): void => void log.push(message)
  const handler = fastcgi({
    scriptFilename: '/app/x.php',
    match: /^/,
    ...options,
    server: { address: more.address ?? fake.address, ...more.server },
    logger: { error: note, warn: note, info: note },
  })
  const site = await listen(async (req, res) => {
    received.push(req)
    if (more.prepare !== undefined) await more.prepare(req)
    if (more.next !== true) return handler(req, res)
    handler(req, res, (error) => {
      const seen = error as SeenError
      errors.push(seen)
      res.writeHead(seen.status, { Connection: 'close', 'X-Code': seen.code }).end(STATUS_CODES[seen.status])
    })
  })
  const raw = (request: string | Buffer): Promise<string> => rawClient(site.port, request).end()
  return {
    fake,
    handler,
    url: site.url,
    port: site.port,
    log,
    errors,
    received,
    raw,
    get: (path = '/') => raw(`GET ${path} HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n`),
    client: (request) => rawClient(site.port, request),
    async [Symbol.asyncDispose]() {
      await site.close()
      await handler.close()
      await fake.stop()
    },
  }
}

/** The body of a raw answer, chunked or not; null where it is not whole. */
export function bodyOf(answer: string): string | null {
  const [head = '', body = ''] = splitHead(answer)
  const length = /^content-length: (\d+)\r$/im.exec(`${head}\r`)?.[1]
  if (length !== undefined) return body.length === Number(length) ? body : null
  if (!/^transfer-encoding: chunked\r?$/im.test(head)) return body
  let decoded = ''
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    if (end === -1) return null
    const size = Number.parseInt(body.slice(at, end), 16)
    if (size === 0) return body.slice(end) === '\r\n\r\n' ? decoded : null
    decoded += body.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}

/** Head, without the empty line, and what follows. */
export function splitHead(answer: string): [head: string, rest: string] {
  const end = answer.indexOf('\r\n\r\n')
  return end === -1 ? [answer, ''] : [answer.slice(0, end), answer.slice(end + 4)]
}

/** The status code of a raw answer. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
}

/** The values of a field of a raw answer, in their order. */
export function fieldOf(answer: string, name: string): string[] {
  const [head] = splitHead(answer)
  return head
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, ''))
}
