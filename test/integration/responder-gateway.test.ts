import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { afterEach, describe, it } from 'node:test'
import type { FastCgiOptions } from '../../lib/index.ts'
import { createResponder, type ResponderListener } from '../../lib/responder/index.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { ask, open } from '../support/http-client.ts'
import { privateDirectory } from '../support/private-directory.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** An application behind the handler of this package. */
async function behind(listener: ResponderListener, options: FastCgiOptions & { over?: 'tcp' } = {}): Promise<Gateway> {
  const { over, ...rest } = options
  const directory = privateDirectory('gateway')
  const responder = createResponder(listener)
  cleanUps.push(async () => {
    responder.closeAllConnections()
    await responder.close()
    directory.remove()
  })
  await responder.listen(over === 'tcp' ? { host: '127.0.0.1', port: 0 } : `${directory.path}/s`)
  const server = responder.address ?? assert.fail('it does not listen')
  const gateway = await serve({ server, match: /^/, scriptFilename: '/app', ...rest })
  cleanUps.push(() => gateway.close())
  return gateway
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe('createResponder behind fastcgi()', () => {
  for (const over of ['unix', 'tcp'] as const) {
    for (const keepAlive of [false, true]) {
      it(`answers over ${over} with keepAlive ${keepAlive ? 'on' : 'off'}`, async () => {
        const gateway = await behind(
          (req, res) => {
            res.statusCode = 201
            res.setHeader('Set-Cookie', ['a=1', 'b=2'])
            res.end(`${req.method} ${req.url} ${req.headers['x-from']} ${req.headers.host}`)
          },
          { keepAlive, ...(over === 'tcp' ? { over } : {}) },
        )
        for (let turn = 0; turn < 3; turn += 1) {
          const { status, headers, text } = await ask(`${gateway.url}/a%20b?c=d`, { headers: { 'X-From': 'here' } })
          assert.equal(status, 201)
          assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
          assert.equal(text, `GET /a%20b?c=d here 127.0.0.1:${gateway.port}`)
        }
      })
    }
  }

  it('carries 20 MB through and back, both ways at once', async () => {
    const gateway = await behind((req, res) => pipeline(req, res), { bodyLimit: '1g' })
    const body = randomBytes(20_000_000)
    assert.equal(hash((await ask(gateway.url, { method: 'POST', body })).body), hash(body))
  })

  it('sends what it has written before its end', async () => {
    let finish: () => void = () => undefined
    const gateway = await behind((_req, res) => {
      res.write('begun ')
      finish = () => void res.end('done')
    })
    const answer = await open(gateway.url)
    const [first] = await once(answer, 'data')
    assert.equal(String(first), 'begun ')
    finish()
    assert.equal(String(await buffer(answer)), 'done')
  })

  it('hears that the client has left', async () => {
    let leave: (aborted: boolean) => void = () => undefined
    const left = new Promise<boolean>((resolve) => {
      leave = resolve
    })
    const gateway = await behind(async (req, res) => {
      res.write('begun')
      await once(req.signal, 'abort')
      leave(req.aborted)
    })
    const answer = await open(gateway.url)
    answer.destroy()
    assert.equal(await left, true)
  })

  it('has its log in the log of the handler, and its failure is a 500 that says nothing', async () => {
    const gateway = await behind((req, res) => {
      res.stderr.write('a line for the log\n')
      if (req.url === '/fail') throw new Error('it failed here')
      res.end('fine')
    })
    assert.equal((await ask(`${gateway.url}/`)).text, 'fine')
    assert.match(gateway.log.join('\n'), /a line for the log/)
    const failed = await ask(`${gateway.url}/fail`)
    assert.equal(failed.status, 500)
    assert.doesNotMatch(failed.text, /failed/)
    assert.match(gateway.log.join('\n'), /it failed here/)
  })
})
