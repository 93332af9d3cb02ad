import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import type { Backend } from '../support/backend.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, askJson } from '../support/http-client.ts'
import { startPhpCgi } from '../support/php-cgi.ts'
import { backend } from '../support/require-backend.ts'

for (const listen of ['tcp', 'unix'] as const) {
  for (const keepAlive of [false, true]) {
    backend('php-cgi').describe(`php-cgi -b over ${listen}, keepAlive ${keepAlive ? 'on' : 'off'}`, () => {
      let php: Backend
      let gateway: Gateway

      before(async () => {
        php = await startPhpCgi({ listen, children: 2, maxRequests: 5 })
        gateway = await serve({ root: phpRoot, server: php.address, keepAlive })
      })
      after(async () => {
        await gateway?.close()
        await php?.stop()
      })

      it('gives the script its variables', async () => {
        const server = await askJson(`${gateway.url}/server.php/path/info?a=b`)
        assert.equal(server.SCRIPT_NAME, '/server.php')
        assert.equal(server.SCRIPT_FILENAME, join(phpRoot, 'server.php'))
        assert.equal(server.PATH_INFO, '/path/info')
        assert.equal(server.QUERY_STRING, 'a=b')
        assert.equal(server.REDIRECT_STATUS, '200')
      })

      it('brings a body of 5 MB, and a chunked one', async () => {
        const body = randomBytes(5_000_000)
        const sha256 = createHash('sha256').update(body).digest('hex')
        const headers = { 'Content-Type': 'application/octet-stream' }
        for (const sent of [body, [body.subarray(0, 7), body.subarray(7)]]) {
          const received = await askJson(`${gateway.url}/body.php`, { method: 'POST', headers, body: sent })
          assert.equal(received.sha256, sha256)
        }
      })

      it('replaces its children after PHP_FCGI_MAX_REQUESTS, which no client notices', async () => {
        const processes = new Set<string>()
        for (let round = 0; round < 25; round++) {
          const answer = await ask(`${gateway.url}/process.php`)
          assert.equal(answer.status, 200, answer.text)
          processes.add(answer.text)
        }
        assert.ok(processes.size > 2, `${processes.size} processes served 25 requests`)
      })

      it('answers more requests at once than it has children', async () => {
        const answers = await Promise.all(Array.from({ length: 40 }, () => ask(`${gateway.url}/sleep.php?ms=5`)))
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
      })

      it('answers 404 for a script that is not there, without asking', async () => {
        assert.equal((await ask(`${gateway.url}/nothing.php`)).status, 404)
      })
    })
  }
}

backend('php-cgi').describe('php-cgi -b without children', () => {
  let php: Backend
  let gateway: Gateway

  before(async () => {
    php = await startPhpCgi({ children: 0 })
    gateway = await serve({ root: phpRoot, server: php.address, keepAlive: true })
  })
  after(async () => {
    await gateway?.close()
    await php?.stop()
  })

  it('serves everybody in turn from its one process', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${gateway.url}/process.php`)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    assert.deepEqual([...new Set(answers.map(({ text }) => text))], [String(php.pid)])
  })
})
