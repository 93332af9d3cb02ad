import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import type { Backend } from '../support/backend.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { startPerlFcgi } from '../support/perl-fcgi.ts'
import { backend } from '../support/require-backend.ts'

for (const keepAlive of [false, true]) {
  backend('perl', 'FCGI.pm').describe(`a Perl application over FCGI.pm, keepAlive ${keepAlive ? 'on' : 'off'}`, () => {
    let perl: Backend
    let gateway: Gateway

    before(async () => {
      perl = await startPerlFcgi()
      gateway = await serve({
        server: perl.address,
        keepAlive,
        locations: [{ match: '/app{/*rest}', scriptFilename: '/srv/perl/echo.pl' }],
      })
    })
    after(async () => {
      await gateway?.close()
      await perl?.stop()
    })

    it('is one program for the whole location: SCRIPT_NAME is the fixed part of the route, PATH_INFO the rest', async () => {
      const { text } = await ask(`${gateway.url}/app/some/%C3%A4/path?q=1`)
      assert.match(text, /^SCRIPT_NAME=\/app$/m)
      assert.match(text, /^PATH_INFO=\/some\/ä\/path$/m)
      assert.match(text, /^SCRIPT_FILENAME=\/srv\/perl\/echo\.pl$/m)
      assert.match(text, /^QUERY_STRING=q=1$/m)
      assert.match(text, /^REQUEST_METHOD=GET$/m)
      assert.equal((await ask(`${gateway.url}/other`)).status, 404)
    })

    it('reads a body of 5 MB, and a chunked one', async () => {
      const body = randomBytes(5_000_000)
      const expected = `${body.length} ${createHash('sha256').update(body).digest('hex')}\n`
      for (const sent of [body, [body.subarray(0, 1000), body.subarray(1000)]]) {
        assert.equal((await ask(`${gateway.url}/app/body`, { method: 'POST', body: sent })).text, expected)
      }
    })

    it('sends many small pieces that arrive as one text', async () => {
      const { text } = await ask(`${gateway.url}/app/numbers?count=20000`)
      assert.equal(text, Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(''))
    })

    it('says its own status', async () => {
      const answer = await ask(`${gateway.url}/app/missing`)
      assert.equal(answer.status, 404)
      assert.equal(answer.reason, 'Not Here')
      assert.equal(answer.text, 'nothing at /missing\n')
    })

    it('has its STDERR in our log', async () => {
      await ask(`${gateway.url}/app/stderr?a-line`)
      assert.match(gateway.log.join('\n'), /perl says a-line/)
    })

    it('serves everybody in turn from its one process', async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => ask(`${gateway.url}/app/turn`)))
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    })
  })
}
