import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import compression from 'compression'
import express from 'express'
import { type FastCgiHandler, type FastCgiOptions, fastcgi } from '../../lib/index.ts'
import { end, type Fake, type FakeScript, startFake, stdout } from '../support/responder.ts'
import { type RawClient, rawClient } from '../support/responder-site.ts'

describe('Beside other middleware of Express', () => {
  const closing: (() => unknown)[] = []

  after(async () => {
    for (const close of closing.reverse()) await close()
  })

  async function gateway(
    script: FakeScript,
    options: FastCgiOptions = {},
  ): Promise<{ handler: FastCgiHandler; fake: Fake }> {
    const fake = await startFake(script)
    const handler = fastcgi({
      server: fake.address,
      scriptFilename: '/app/x.php',
      match: /^/,
      logger: false,
      ...options,
    })
    closing.push(
      () => fake.stop(),
      () => handler.close(),
    )
    return { handler, fake }
  }

  async function listen(
    app: express.Express,
    wire?: (server: ReturnType<typeof createServer>) => void,
  ): Promise<number> {
    const server = createServer(app)
    wire?.(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return (server.address() as AddressInfo).port
  }

  function ask(port: number, lines: readonly string[]): RawClient {
    return rawClient(port, `${lines.join('\r\n')}\r\n\r\n`)
  }

  it('lets an event through compression before the script ends', async () => {
    let finish = (): void => undefined
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { handler } = await gateway(async (request) => {
      await request.send(stdout('Content-Type: text/event-stream\r\n\r\ndata: one\n\n'))
      await finished
      await request.send(stdout('data: two\n\n'), end())
    })
    const app = express()
    app.use(compression({ threshold: 0, filter: () => true }), handler)
    const port = await listen(app)
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'Accept-Encoding': 'gzip' } })
    const reader = (response.body ?? assert.fail('no body')).getReader()
    const first = await reader.read()
    assert.equal(response.headers.get('content-encoding'), 'gzip')
    assert.equal(Buffer.from(first.value ?? []).toString(), 'data: one\n\n')
    finish()
    await reader.cancel()
  })

  it('answers 413 at once to a client that waits for 100', async () => {
    const { handler } = await gateway(() => undefined, { bodyLimit: 10 })
    const app = express()
    app.use(handler)
    const port = await listen(app, (server) => server.on('checkContinue', app))
    const client = ask(port, ['POST / HTTP/1.1', 'Host: x', 'Content-Length: 1000000', 'Expect: 100-continue'])
    assert.match(await client.end(), /^HTTP\/1\.1 413 /)
  })

  it('hands an intercepted 401 to the error handlers with its challenge', async () => {
    const script: FakeScript = (request) =>
      request.answer(
        'Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nX-Other: y\r\n\r\nthe script’s page',
      )
    const { handler } = await gateway(script, { interceptErrors: true })
    const app = express()
    app.use(handler)
    const port = await listen(app)
    const answer = await ask(port, ['GET / HTTP/1.1', 'Host: x', 'Connection: close']).end()
    assert.match(answer, /^HTTP\/1\.1 401 /)
    assert.match(answer, /\r\nWWW-Authenticate: Basic realm="x"\r\n/i)
    assert.doesNotMatch(answer, /X-Other|script’s page|\/app\//)
  })
})
