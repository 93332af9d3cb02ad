import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import type { Backend } from '../support/backend.ts'
import { startCFcgi } from '../support/c-fcgi.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { backend } from '../support/require-backend.ts'
import { rawRequest } from '../support/site.ts'

for (const listen of ['unix', 'tcp'] as const) {
  for (const keepAlive of [false, true]) {
    backend('cc', 'libfcgi').describe(
      `a C application over libfcgi, ${listen}, keepAlive ${keepAlive ? 'on' : 'off'}`,
      () => {
        let program: Backend
        let gateway: Gateway

        before(async () => {
          program = await startCFcgi({ listen })
          gateway = await serve({
            server: program.address,
            locations: [{ match: /^\//, scriptFilename: '/srv/c/echo', keepAlive }],
          })
        })
        after(async () => {
          await gateway?.close()
          await program?.stop()
        })

        it('gets every parameter, short and long', async () => {
          const { text } = await ask(`${gateway.url}/a/path?query`, { headers: { 'X-Long': 'l'.repeat(5000) } })
          assert.match(text, /^PATH_INFO=\/a\/path$/m)
          assert.match(text, /^QUERY_STRING=query$/m)
          assert.match(text, /^SCRIPT_FILENAME=\/srv\/c\/echo$/m)
          assert.match(text, /^FCGI_ROLE=RESPONDER$/m)
          assert.match(text, /^HTTP_X_LONG=l{5000}$/m)
          assert.doesNotMatch(text, /^CONTENT_LENGTH=/m)
        })

        it('echoes 20 MB, known length and chunked', async () => {
          const body = randomBytes(20_000_000)
          const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
          for (const sent of [body, [body.subarray(0, 1), body.subarray(1)]]) {
            const answer = await ask(`${gateway.url}/body`, { method: 'PUT', body: sent })
            assert.equal(hash(answer.body), hash(body))
          }
        })

        it('sends records of every length', async () => {
          for (const bytes of [0, 1, 7, 8, 8183, 8184, 8185, 65_535, 65_536, 1_000_003]) {
            const answer = await ask(`${gateway.url}/bytes?bytes=${bytes}`)
            assert.equal(answer.body.length, bytes)
            assert.equal(answer.headers['content-length'], String(bytes))
          }
        })

        it('mixes STDERR into STDOUT, in the head too: the answer has one, the log the other', async () => {
          const answer = await ask(`${gateway.url}/turns`)
          assert.equal(answer.headers['x-turns'], '3')
          assert.equal(answer.text, 'out 1\nout 2\nout 3\n')
          assert.match(gateway.log.join('\n'), /in the head[\s\S]*err 1[\s\S]*err 3/)
        })

        it('passes the answer on and logs an application status that is not 0', async () => {
          const answer = await ask(`${gateway.url}/exit-status`)
          assert.equal(answer.status, 200)
          assert.match(answer.text, /^PATH_INFO=\/exit-status$/m)
          assert.match(gateway.log.join('\n'), /\b7\b/)
        })

        it('answers 502 when the application ends without a head', async () => {
          assert.equal((await ask(`${gateway.url}/silent-exit`)).status, 502)
          assert.equal((await ask(`${gateway.url}/still-there`)).status, 200)
        })

        it('keeps HTTP framing over many answers of one client connection', async () => {
          const request = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
          const bytes = await rawRequest(
            gateway.port,
            request('/bytes?bytes=3') + request('/turns') + request('/bytes?bytes=2', 'Connection: close\r\n'),
          )
          assert.equal(bytes.toString('latin1').match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 3)
          assert.ok(bytes.toString('latin1').endsWith('\r\n\r\ncc'))
        })
      },
    )
  }
}
