import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeConnection, type FakeRequest } from './responder-connection.ts'

export type { FakeConnection, FakeRequest } from './responder-connection.ts'
export { answer, end, record, stderr, stdout } from './responder-records.ts'

/** Called when PARAMS are complete, so before STDIN is: what it does is all that the gateway gets. */
export type FakeScript = (request: FakeRequest) => void | Promise<void>

export interface FakeOptions {
  /** `unix` (default): a socket in a private directory; `tcp`: a free port of 127.0.0.1. */
  readonly over?: 'unix' | 'tcp'
  /** For instance `(connection) => connection.close()`: before anything is read. */
  readonly onConnection?: (connection: FakeConnection) => void
  /** Count and hash STDIN, do not keep it. */
  readonly discardStdin?: boolean
}

/** A fake responder that listens. */
export interface Fake {
  /** As the option `address` of a server takes it. */
  readonly address: string
  /** Every request whose PARAMS came whole, in their order. */
  readonly requests: readonly FakeRequest[]
  readonly connections: {
    /** All that were ever accepted. */
    readonly count: number
    readonly open: number
    /** The most that were open at once. */
    readonly peak: number
    readonly list: readonly FakeConnection[]
  }
  /** What the gateway did against the protocol. {@link Fake.stop} throws the first, unless the test took it out. */
  readonly failures: Error[]
  /** The n-th request, from 1, as soon as its PARAMS are there. */
  request(n: number): Promise<FakeRequest>
  /** Waits for something to become true; asked after every event here. No clock: the test's own time-out is the limit. */
  until(condition: () => boolean): Promise<void>
  /** Closes everything; throws what a script threw and what the gateway did against the protocol. */
  stop(): Promise<void>
}

/**
 * A FastCGI application that does exactly what a test says, right or wrong.
 *
 *     const fake = await startFake((request) => request.answer('Status: 404\r\n\r\nno'))
 *     const php = fastcgi({ server: fake.address, scriptFilename: '/x.php', match: /^/, logger: false })
 *     …
 *     assert.equal(fake.requests[0]?.params.get('REQUEST_METHOD'), 'GET')
 *     await fake.stop()
 *
 * What a script can do, with the encoders exported here (`stdout`, `stderr`, `end`, `answer`, `record`):
 *
 *     () => {}                                                    // never answer
 *     (r) => r.send(stdout('A: b\r'), stdout('\n\r\nbody'), end()) // in pieces, a turn of the loop between two
 *     (r) => r.send(...pieces(answer('…'), 1))                    // byte by byte (splits.ts)
 *     (r) => r.send(answer('A: b\r\n\r\n'), stdout('after the end')) // data after END_REQUEST
 *     (r) => r.send(record({ type: 6, version: 2, content: 'x' })) // wrong version, type, id, length
 *     (r) => r.end({ protocolStatus: FCGI_OVERLOADED })
 *     async (r) => { await r.stdout('A: b\r\n\r\nhalf'); r.connection.reset() } // also close(), halfClose()
 *     async (r) => { const body = await r.body(); await r.answer(`A: b\r\n\r\n${body.length}`) }
 *     async (r) => { r.connection.pause(); await gate; r.connection.resume() } // back-pressure on STDIN
 *     async (r) => { await r.gone(); r.aborted }                  // the client left
 *     (r) => { if (r.connection.requests.length === 3) … }        // the third on one kept connection
 *
 * Like php-fpm it leaves a connection open after END_REQUEST, with FCGI_KEEP_CONN and without: `closeAfter(n, script)`
 * closes. A server that never accepts is `startFull` of responder-full.ts.
 */
export async function startFake(script: FakeScript, options: FakeOptions = {}): Promise<Fake> {
  const list: FakeConnection[] = []
  const requests: FakeRequest[] = []
  const failures: Error[] = []
  const sockets = new Set<Socket>()
  const waiting = new Set<{ readonly condition: () => boolean; readonly resolve: () => void }>()
  let peak = 0

  const onChange = (): void => {
    for (const waiter of waiting) {
      if (!waiter.condition()) continue
      waiting.delete(waiter)
      waiter.resolve()
    }
  }
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      if (condition()) return resolve()
      waiting.add({ condition, resolve })
    })
  const run = async (request: FakeRequest): Promise<void> => {
    try {
      await script(request)
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)))
    }
    onChange()
  }
  const owner = {
    discardStdin: options.discardStdin ?? false,
    onRequest: (request: FakeRequest): void => {
      requests.push(request)
      void run(request)
    },
    onFailure: (failure: Error): void => {
      failures.push(failure)
    },
    onChange,
    until,
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    const connection = new FakeConnection(socket, list.length + 1, owner)
    list.push(connection)
    peak = Math.max(peak, sockets.size)
    options.onConnection?.(connection)
    onChange()
  })
  const directory = options.over === 'tcp' ? null : await mkdtemp(join(tmpdir(), 'fcgi-fake-'))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (directory === null) server.listen(0, '127.0.0.1', resolve)
    else server.listen(join(directory, 's'), resolve)
  })

  return {
    address: directory === null ? `127.0.0.1:${(server.address() as AddressInfo).port}` : join(directory, 's'),
    requests,
    connections: {
      get count() {
        return list.length
      },
      get open() {
        return sockets.size
      },
      get peak() {
        return peak
      },
      list,
    },
    failures,
    until,
    async request(n) {
      await until(() => requests.length >= n)
      const request = requests[n - 1]
      if (request === undefined) throw new Error(`There is no request ${n}`)
      return request
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      if (directory !== null) await rm(directory, { recursive: true, force: true })
      const failure = failures[0]
      if (failure !== undefined) throw failure
    },
  }
}

/** Closes each connection when the script is done with its n-th request. */
export function closeAfter(n: number, script: FakeScript): FakeScript {
  return async (request) => {
    await script(request)
    if (request.connection.requests.length >= n) request.connection.close()
  }
}
