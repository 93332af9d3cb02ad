import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { channels, type FastCgiOptions, fastcgi } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { ask } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { type FakeScript, startFake } from '../support/responder.ts'

type Next = (error?: unknown) => void
type Host = (req: IncomingMessage, res: ServerResponse, php: (next: Next) => void) => void

/** A gateway inside a host, before a fake responder that all requests reach over the same kept connection. */
async function hosted<Result>(
  host: Host,
  { script, options }: { readonly script: FakeScript; readonly options: FastCgiOptions },
  use: (url: string) => Promise<Result>,
): Promise<Result> {
  const fake = await startFake(script)
  const handler = fastcgi({ keepAlive: true, server: { address: fake.address, maxConnections: 1 }, ...options })
  await using listening = await listen(
    createServer((req, res) => host(req, res, (next) => handler(req, res, next))) as never,
  )
  try {
    return await use(`http://127.0.0.1:${listening.port}`)
  } finally {
    await handler.close()
    await fake.stop()
  }
}

const PROGRAM: FastCgiOptions = { scriptFilename: '/app/x.php', match: /^/, logger: false }

describe('What the host is told of a request', () => {
  it('is told in the context of that request, although the connection was opened for another one', async () => {
    const storage = new AsyncLocalStorage<string>()
    const told: string[] = []
    const note = (what: string): void => void told.push(`${what} ${storage.getStore()}`)
    const ended = (): void => note('end')
    const host: Host = (req, res, php) =>
      storage.run(req.url ?? '', () =>
        php(() => {
          note('next')
          res.end()
        }),
      )
    const script: FakeScript = (request) =>
      request.answer(request.params.get('REQUEST_URI') === '/bad' ? 'no head' : 'A: b\r\n\r\n')
    const log = (): void => note('log')
    const options = { ...PROGRAM, logger: { error: log, warn: log, info: log } }
    subscribe(channels.requestEnd.name, ended)
    await hosted(host, { script, options }, async (url) => {
      for (const path of ['/good', '/bad', '/better']) await ask(url + path)
    })
    unsubscribe(channels.requestEnd.name, ended)
    assert.deepEqual(told, ['end /good', 'log /bad', 'next /bad', 'end /better'])
  })

  it('of a local redirect is told in that context too, and a failure behind it under the first target', async () => {
    const storage = new AsyncLocalStorage<string>()
    const told: string[] = []
    const host: Host = (req, res, php) =>
      storage.run(req.url ?? '', () =>
        php((error) => {
          told.push(`${storage.getStore()} ${(error as { code?: string } | undefined)?.code}`)
          res.end()
        }),
      )
    const script: FakeScript = (request) =>
      request.answer(request.params.get('REQUEST_URI') === '/from' ? 'Location: /to\r\n\r\n' : 'no head')
    const log: string[] = []
    const write = (line: string): void => void log.push(line)
    const options = { ...PROGRAM, localRedirects: true, logger: { error: write, warn: write, info: write } }
    await hosted(host, { script, options }, async (url) => {
      await ask(`${url}/other`)
      await ask(`${url}/from`)
    })
    assert.deepEqual(told, ['/other ERR_FCGI_BAD_RESPONSE', '/from ERR_FCGI_BAD_RESPONSE'])
    assert.match(log[1] ?? '', /^GET \/from: 502/)
  })
})

describe('A host that answers by itself', () => {
  it('while the disk is asked for a directory loses nothing but the redirect, and is told in the log', async () => {
    const directory = privateDirectory('host')
    mkdirSync(join(directory.path, 'folder'))
    writeFileSync(join(directory.path, 'folder/index.php'), '')
    const log: string[] = []
    const write = (line: string): void => void log.push(line)
    const host: Host = (_req, res, php) => {
      php(() => assert.fail('nothing has failed'))
      res.end('mine')
    }
    const options = { root: directory.path, logger: { error: write, warn: write, info: write } }
    const script: FakeScript = () => assert.fail('nothing is to be run')
    await hosted(host, { script, options }, async (url) => {
      assert.equal((await ask(`${url}/folder`)).text, 'mine')
      await eventually('the log tells', () => log.length > 0)
    })
    assert.match(log[0] ?? '', /^GET \/folder: the redirect was dropped/)
    directory.remove()
  })

  it('before the gateway is asked has its script run all the same, and is told in the log', async () => {
    const log: string[] = []
    const write = (line: string): void => void log.push(line)
    const ran: string[] = []
    const script: FakeScript = async (request) => {
      ran.push(request.params.get('REQUEST_URI') ?? '')
      await request.answer('A: b\r\n\r\nbody')
    }
    const host: Host = (_req, res, php) => {
      res.end('mine'.repeat(1024 ** 2))
      php(() => assert.fail('it was served'))
    }
    const options = { ...PROGRAM, logger: { error: write, warn: write, info: write } }
    await hosted(host, { script, options }, async (url) => {
      assert.equal((await ask(`${url}/a`)).text.length, 4 * 1024 ** 2)
      await eventually('the log tells', () => log.length > 0)
    })
    assert.deepEqual(ran, ['/a'])
    assert.match(log[0] ?? '', /another middleware has answered/)
  })
})
