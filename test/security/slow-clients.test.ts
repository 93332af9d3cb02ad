import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server, connect as http2Connect } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { type FastCgiOptions, fastcgi } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { type FakeScript, startFake } from '../support/responder.ts'
import { fakedSite, type RawClient, rawClient } from '../support/responder-site.ts'

// Slow clients beside others (Slowloris, slow POST, slow read). No clock decides here: what is asked for comes in the end or never.

const MEGABYTE = 1024 * 1024

/** More than the kernel and `responseBuffer` take ahead of a client. */
const LONG = 64 * MEGABYTE

/** An answer of {@link LONG} bytes, as fast as it is taken. */
const long: FakeScript = async (request) => {
  await request.stdout('Content-Type: text/plain\r\n\r\n')
  const piece = Buffer.alloc(MEGABYTE, 'x')
  for (let sent = 0; sent < LONG && !request.connection.closed; sent += piece.length) await request.stdout(piece)
  await request.end()
}

/** A client that takes nothing of its answer. */
function deaf(client: RawClient): RawClient {
  client.socket.pause()
  return client
}

function logsTimeout(log: readonly string[]): void {
  assert.match(log.join('\n'), /499 ERR_FCGI_CLIENT_GONE: The client (?:took|sent) nothing more .* \(clientTimeout\)/)
}

describe('A client that stops reading its answer (slow read)', { timeout: 90_000 }, () => {
  for (const version of ['1.1', '1.0']) {
    it(`is closed after clientTimeout, which frees its backend, and its answer never looks whole, HTTP/${version}`, async () => {
      await using site = await fakedSite(long, { clientTimeout: 200 })
      const client = deaf(site.client(`GET / HTTP/${version}\r\nHost: x\r\n\r\n`))
      await site.fake.request(1)
      await site.fake.until(() => site.fake.connections.open === 0)
      await eventually('it is told to the operator', () => site.log.length > 0)
      logsTimeout(site.log)
      client.socket.resume()
      const text = await client.end()
      assert.ok(text.length < LONG, `${text.length} bytes`)
      assert.doesNotMatch(text.slice(-20), /\r\n0\r\n\r\n$/)
    })
  }

  it('is closed over HTTP/2 too, but its session is not', async () => {
    const fake = await startFake((request) =>
      request.params.get('REQUEST_URI') === '/long' ? long(request) : request.answer('A: b\r\n\r\nshort'),
    )
    const handler = fastcgi({
      scriptFilename: '/app/x.php',
      match: /^/,
      server: fake.address,
      logger: false,
      clientTimeout: 200,
    })
    const server = createHttp2Server((req, res) => handler(req as never, res as never))
    await using listening = await listen(server as never)
    const session = http2Connect(`http://127.0.0.1:${listening.port}`)
    try {
      const stalled = session.request({ ':path': '/long' })
      stalled.pause()
      const failure = once(stalled, 'error')
      await fake.request(1)
      await fake.until(() => fake.connections.open === 0)
      const [error] = await failure
      assert.match(String(error), /NGHTTP2_INTERNAL_ERROR/)
      const other = session.request({ ':path': '/short' })
      let text = ''
      for await (const piece of other.setEncoding('utf8')) text += piece
      assert.equal(text, 'short')
    } finally {
      session.destroy()
      await handler.close()
      await fake.stop()
    }
  })

  it('is closed too where all of its answer waits for it and its backend is free', async () => {
    const bytes = 'x'.repeat(24 * MEGABYTE)
    await using site = await fakedSite((request) => request.answer(`A: b\r\n\r\n${bytes}`), {
      clientTimeout: 200,
      responseBuffer: '64m',
    })
    const client = deaf(site.client('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    await eventually('it is told to the operator', () => site.log.length > 0)
    assert.match(site.log.join('\n'), /took nothing of the rest of its answer for 200 ms \(clientTimeout\)/)
    client.socket.resume()
    assert.ok((await client.end()).length < bytes.length)
  })

  it('is closed while its answer waits behind another one that it does not read', async () => {
    await using site = await fakedSite(long, { clientTimeout: 200 })
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
    deaf(site.client(`${get('/1')}${get('/2')}${get('/3')}`))
    await site.fake.request(3)
    await site.fake.until(() => site.fake.connections.open === 0)
  })

  it('is closed while its answer waits behind one of the host, which knows no clientTimeout', async () => {
    const fake = await startFake(long)
    const handler = fastcgi({
      scriptFilename: '/app/x.php',
      match: '/php',
      server: fake.address,
      logger: false,
      clientTimeout: 200,
    })
    let open = 0
    const server = createServer((req, res) => {
      handler(req, res, () => res.end(Buffer.alloc(LONG)))
    })
    server.on('connection', (socket) => {
      open += 1
      socket.once('close', () => {
        open -= 1
      })
    })
    await using listening = await listen(server)
    const client = deaf(
      rawClient(listening.port, 'GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /php HTTP/1.1\r\nHost: x\r\n\r\n'),
    )
    await fake.request(1)
    await fake.until(() => fake.connections.open === 0)
    await eventually('the connection is closed', () => open === 0)
    client.socket.destroy()
    await handler.close()
    await fake.stop()
  })

  it('holds nobody else up for it: a client that reads gets all of a long answer', async () => {
    await using site = await fakedSite(long, { clientTimeout: 5000 })
    deaf(site.client('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    const answer = await ask(site.url)
    assert.equal(answer.body.length, LONG)
  })
})

describe('A client that stops sending its body (slow POST)', { timeout: 90_000 }, () => {
  const KINDS: readonly (readonly [kind: string, options: FastCgiOptions, framing: string, begun: boolean])[] = [
    ['that streams', {}, 'Content-Length: 1000000', true],
    ['that is short and gathered', {}, 'Content-Length: 10000', false],
    ['that is long and gathered', { requestBuffering: 'on' }, 'Content-Length: 10000000', false],
    ['that streams although it is short', { requestBuffering: 'off' }, 'Content-Length: 10000', true],
    ['of unknown length', {}, 'Transfer-Encoding: chunked', false],
  ]
  for (const [kind, options, framing, begun] of KINDS) {
    it(`${kind} is closed after clientTimeout, which frees its backend`, async () => {
      for (const begin of ['', '5\r\nhello\r\n']) {
        await using site = await fakedSite(() => undefined, { ...options, clientTimeout: 200 })
        const client = site.client(`POST / HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n${begin}`)
        if (begun) await site.fake.request(1)
        assert.equal(await client.end(), '')
        await site.fake.until(() => site.fake.connections.open === 0)
        await eventually('it is told to the operator', () => site.log.length > 0)
        logsTimeout(site.log)
        const [request] = site.fake.requests
        assert.equal(request === undefined, !begun)
        assert.ok(request?.stdinEnded !== true, 'the body was ended as if it were whole')
      }
    })
  }
})

backend('php-fpm').describe('php-fpm with 4 children', () => {
  let fpm: PhpFpm
  let gateway: Gateway | null = null
  const sockets: Socket[] = []

  before(async () => {
    fpm = await startPhpFpm({ children: 4 })
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
    await gateway?.close()
    gateway = null
  })
  after(() => fpm?.stop())

  async function serveWith(options: FastCgiOptions = {}): Promise<Gateway> {
    gateway = await serve({ root: phpRoot, server: { address: fpm.address, maxConnections: 64 }, ...options })
    return gateway
  }

  /** Opens slow clients, each with these bytes on their way; resolves when all are connected. */
  async function slow(count: number, bytes: string | Buffer, { reads = true } = {}): Promise<readonly Socket[]> {
    const port = gateway?.port ?? 0
    const opened = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
    for (const socket of opened) {
      socket.on('error', () => undefined)
      if (reads) socket.resume()
      else socket.pause()
      sockets.push(socket)
    }
    await Promise.all(opened.map((socket) => once(socket, 'connect')))
    for (const socket of opened) socket.write(bytes)
    return opened
  }

  /** Forty clients as they should be, of which every one is served. */
  async function normalOnesAreServed(): Promise<void> {
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(`${gateway?.url}/process.php`)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    const echoes = await Promise.all(
      Array.from({ length: 40 }, (_, n) => ask(`${gateway?.url}/echo.php`, { method: 'POST', body: `${n}` })),
    )
    for (const [n, { text }] of echoes.entries()) assert.equal(text, `${n}`)
  }

  function upload(length: number, sent: number): Buffer {
    const head = `POST /echo.php HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`
    return Buffer.concat([Buffer.from(head), Buffer.alloc(sent, 'u')])
  }

  it('serves the others beside 200 slow uploaders of bodies up to 64 KiB', async () => {
    await serveWith()
    const length = 60_000
    const uploaders = await slow(200, upload(length, length - 1))
    await normalOnesAreServed()
    assert.equal((await fpm.status()).activeProcesses, 0, 'a slow uploader holds a child')
    let answered = 0
    for (const socket of uploaders) socket.once('data', () => (answered += 1)).write('u')
    await eventually('the slow ones are served as well', () => answered === 200)
  })

  it('serves the others beside 200 slow uploaders of long bodies with requestBuffering on', async () => {
    await serveWith({ requestBuffering: 'on' })
    const uploaders = await slow(200, upload(300_000, 200_000))
    await normalOnesAreServed()
    assert.equal((await fpm.status()).activeProcesses, 0, 'a slow uploader holds a child')
    let answered = 0
    for (const socket of uploaders) socket.once('data', () => (answered += 1)).write(Buffer.alloc(100_000))
    await eventually('the slow ones are served as well', () => answered === 200)
  })

  it('serves the others although 200 uploaders whose bodies stream stop in the middle: clientTimeout', async () => {
    await serveWith({ clientTimeout: 500 })
    const uploaders = await slow(200, upload(1_000_000, 100_000))
    await normalOnesAreServed()
    await eventually('they are closed', () => uploaders.every((socket) => socket.destroyed))
  })

  it('serves the others beside 50 slow readers whose answers fit responseBuffer', async () => {
    await serveWith()
    await slow(50, 'GET /download.php?bytes=250000 HTTP/1.1\r\nHost: x\r\n\r\n', { reads: false })
    await normalOnesAreServed()
    await eventually('no slow reader holds a child', async () => (await fpm.status()).activeProcesses === 0)
  })

  it('serves the others beside slow readers of long answers with a responseBuffer for them', async () => {
    await serveWith({ responseBuffer: '32m' })
    await slow(6, 'GET /download.php?bytes=24000000 HTTP/1.1\r\nHost: x\r\n\r\n', { reads: false })
    await normalOnesAreServed()
    await eventually('no slow reader holds a child', async () => (await fpm.status()).activeProcesses === 0)
  })

  it('serves the others although 50 readers of long answers stop in the middle: clientTimeout', async () => {
    await serveWith({ clientTimeout: 500 })
    const readers = await slow(50, 'GET /download.php?bytes=200000000 HTTP/1.1\r\nHost: x\r\n\r\n', { reads: false })
    await normalOnesAreServed()
    await eventually('no slow reader holds a child', async () => (await fpm.status()).activeProcesses === 0)
    for (const socket of readers) socket.resume()
    await eventually('they are closed', () => readers.every((socket) => socket.destroyed))
  })
})
