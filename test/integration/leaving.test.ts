import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
} from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { describe, it } from 'node:test'
import { type FastCgiHandler, type FastCgiOptions, fastcgi } from '../../lib/index.ts'
import { documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { type Fake, type FakeScript, startFake, stdout } from '../support/responder.ts'

/** Begins an answer and never ends it. */
const endless: FakeScript = (request) => request.send(stdout('A: b\r\n\r\nbegun'))

interface Scene extends AsyncDisposable {
  readonly fake: Fake
  readonly handler: FastCgiHandler
  readonly port: number
}

/** A gateway before a fake responder; `listen` puts it into a server. */
async function scene(
  script: FakeScript,
  listen: (handler: FastCgiHandler) => Server | ReturnType<typeof createHttp2Server>,
  options: FastCgiOptions = {},
): Promise<Scene> {
  const fake = await startFake(script)
  const defaults = { scriptFilename: '/app/x.php', match: /^/ }
  const handler = fastcgi({
    server: fake.address,
    logger: false,
    ...(options.root === undefined && defaults),
    ...options,
  })
  const server = listen(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    fake,
    handler,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      await handler.close()
      await fake.stop()
    },
  }
}

const overHttp = (handler: FastCgiHandler): Server => createServer(handler)

function overHttp2(handler: FastCgiHandler): ReturnType<typeof createHttp2Server> {
  return createHttp2Server(handler as unknown as Parameters<typeof createHttp2Server>[1])
}

/** Files below a folder that this process has open. */
function descriptorsBelow(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`)
      return target.startsWith(folder) ? [target] : []
    } catch {
      return [] // the one that was open to read the directory
    }
  })
}

function isFree({ handler, fake }: Scene): boolean {
  return handler.status().servers[0]?.busy === 0 && fake.connections.open === 0
}

function http2Client(port: number): ClientHttp2Session {
  return connectHttp2(`http://127.0.0.1:${port}`)
}

describe('A client that leaves', { timeout: 60_000 }, () => {
  it('frees the backend of an answer that waits behind another one on its connection', async () => {
    await using gateway = await scene(endless, overHttp)
    const client = connect(gateway.port, '127.0.0.1')
    client.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
    await gateway.fake.until(() => gateway.fake.requests.length === 2)
    client.destroy()
    await eventually('both are free', () => isFree(gateway))
  })

  it('frees the backend when it resets its HTTP/2 stream', async () => {
    await using gateway = await scene(endless, overHttp2)
    const client = http2Client(gateway.port)
    const stream = client.request({ ':path': '/' })
    await once(stream, 'response')
    stream.close(constants.NGHTTP2_CANCEL)
    await eventually('it is free', () => isFree(gateway))
    client.close()
  })

  it('frees the backend when its HTTP/2 session ends', async () => {
    await using gateway = await scene(() => undefined, overHttp2)
    const client = http2Client(gateway.port)
    client.on('error', () => undefined)
    const stream = client.request({ ':path': '/' })
    stream.on('error', () => undefined)
    await gateway.fake.request(1)
    client.destroy()
    await eventually('it is free', () => isFree(gateway))
  })

  it('before the middleware is called, asks no backend', async () => {
    let call = (): void => undefined
    let called = false
    const host: (handler: FastCgiHandler) => RequestListener = (handler) => (req, res) => {
      call = () => {
        handler(req, res)
        called = true
      }
    }
    await using gateway = await scene(endless, (handler) => createServer(host(handler)))
    const client = connect(gateway.port, '127.0.0.1', () => client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    const idle = call
    await eventually('the request is there', () => call !== idle)
    client.destroy()
    await once(client, 'close')
    await new Promise((resolve) => setTimeout(resolve, 20))
    call()
    assert.ok(called)
    await gateway.handler.close()
    assert.equal(gateway.fake.requests.length, 0)
  })

  it('behind another answer on its connection leaves no static file open', {
    skip: !existsSync('/proc/self/fd'),
  }, async (t) => {
    const tree = documentTree()
    t.after(() => tree.remove())
    for (const name of ['first.css', 'second.css']) tree.write(name, 'x'.repeat(4 * 1024 ** 2))
    await using gateway = await scene(endless, overHttp, { root: tree.root, static: true })
    const opened = (): string[] => descriptorsBelow(tree.root)
    for (let times = 0; times < 3; times += 1) {
      const requests = ['first', 'second'].map((name) => `GET /${name}.css HTTP/1.1\r\nHost: x\r\n\r\n`)
      // Takes nothing, so that the first answer never ends.
      const client = connect(gateway.port, '127.0.0.1', () => client.write(requests.join('')))
      await eventually('both files are open', () => opened().length === 2)
      client.resetAndDestroy()
      await eventually('both are closed', () => opened().length === 0)
    }
  })

  it('before a static file is sent does not keep close() waiting', async (t) => {
    const tree = documentTree(['www/a.css'])
    t.after(() => tree.remove())
    let call = (): void => undefined
    const listen = (handler: FastCgiHandler): Server =>
      createServer((req, res) => {
        call = () => handler(req, res)
      })
    await using gateway = await scene(endless, listen, { root: `${tree.root}/www`, static: true })
    const client = connect(gateway.port, '127.0.0.1', () => client.write('GET /a.css HTTP/1.1\r\nHost: x\r\n\r\n'))
    const idle = call
    await eventually('the request is there', () => call !== idle)
    client.destroy()
    await once(client, 'close')
    await new Promise((resolve) => setTimeout(resolve, 20))
    call()
    await gateway.handler.close()
  })
})

describe('An answer that nobody waits for', { timeout: 60_000 }, () => {
  it('is given up where the host has answered by itself', async () => {
    const listen = (handler: FastCgiHandler): Server =>
      createServer((req, res) => {
        handler(req, res)
        res.statusCode = 503
        res.end('too late')
      })
    await using gateway = await scene(endless, listen)
    const response = await fetch(`http://127.0.0.1:${gateway.port}/`)
    assert.deepEqual([response.status, await response.text()], [503, 'too late'])
    await eventually('the backend is free', () => isFree(gateway))
  })
})

describe('An HTTP/2 answer that the backend does not finish', { timeout: 60_000 }, () => {
  it('ends with INTERNAL_ERROR, as NO_ERROR would pass for its end', async () => {
    let seen = (): void => undefined
    const half = new Promise<void>((resolve) => {
      seen = resolve
    })
    const script: FakeScript = async (request) => {
      await request.send(stdout('A: b\r\n\r\nhalf'))
      await half
      request.connection.close()
    }
    await using gateway = await scene(script, overHttp2)
    const client = http2Client(gateway.port)
    const stream = client.request({ ':path': '/' })
    const errors: Error[] = []
    stream.on('error', (error) => errors.push(error))
    stream.on('data', seen)
    await once(stream, 'close').catch(() => undefined)
    assert.equal(stream.rstCode, constants.NGHTTP2_INTERNAL_ERROR)
    client.close()
  })
})
