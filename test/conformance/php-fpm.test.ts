import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, askJson, open, read } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { startRelay } from '../support/relay.ts'
import { backend } from '../support/require-backend.ts'
import { rawRequest } from '../support/site.ts'

interface Received {
  readonly method: string
  readonly length: number
  readonly sha256: string
  readonly contentLength: string | null
  readonly contentType: string | null
  readonly contentEncoding: string | null
  readonly transferEncoding: string | null
  readonly post: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, { name: string; size: number; error: number; sha256: string }>>
}

const MEGABYTE = 1024 * 1024

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What download.php?bytes= sends. */
function downloadHash(bytes: number): string {
  const hash = createHash('sha256')
  const filling = 'fastcgi '.repeat(8192)
  for (let block = 0, sent = 0; sent < bytes; block++, sent += 65_536) {
    const piece = (String(block).padStart(16, '0') + filling).slice(0, Math.min(65_536, bytes - sent))
    hash.update(piece)
  }
  return hash.digest('hex')
}

for (const listen of ['unix', 'tcp'] as const) {
  for (const keepAlive of [false, true]) {
    backend('php-fpm').describe(`php-fpm over ${listen}, keepAlive ${keepAlive ? 'on' : 'off'}`, () => {
      let fpm: PhpFpm
      let gateway: Gateway
      let place: PrivateDirectory

      before(async () => {
        place = privateDirectory('test')
        fpm = await startPhpFpm({ listen })
        // php-fpm calls a child busy while an idle connection is open to it.
        gateway = await serve({ root: phpRoot, server: { address: fpm.address, idleTimeout: 200 }, keepAlive })
      })
      after(async () => {
        await gateway?.close()
        await fpm?.stop()
        place?.remove()
      })

      it('answers a GET with what the script says', async () => {
        const answer = await ask(`${gateway.url}/server.php?a=b%20c&d`)
        const server = JSON.parse(answer.text)
        assert.equal(answer.status, 200)
        assert.equal(answer.headers['content-type'], 'application/json')
        assert.equal(server.REQUEST_METHOD, 'GET')
        assert.equal(server.QUERY_STRING, 'a=b%20c&d')
        assert.equal(server.REQUEST_URI, '/server.php?a=b%20c&d')
        assert.equal(server.SCRIPT_NAME, '/server.php')
        assert.equal(server.SCRIPT_FILENAME, join(phpRoot, 'server.php'))
        assert.equal(server.DOCUMENT_ROOT, phpRoot)
        assert.equal(server.REMOTE_ADDR, '127.0.0.1')
        assert.equal(server.GATEWAY_INTERFACE, 'CGI/1.1')
        assert.match(server.SERVER_SOFTWARE, /^express-fastcgi\/\d/)
        assert.equal(server.PATH_INFO, undefined)
      })

      it('hands a form to $_POST', async () => {
        const body = 'name=J%C3%BCrgen&list%5B%5D=1&list%5B%5D=2&empty='
        const received = await askJson<Received>(`${gateway.url}/body.php`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
          body,
        })
        assert.deepEqual(received.post, { name: 'Jürgen', list: ['1', '2'], empty: '' })
        assert.equal(received.contentLength, String(body.length))
      })

      it('hands an upload to $_FILES, every byte of it', async () => {
        const picture = randomBytes(3 * MEGABYTE)
        const form = new FormData()
        form.set('title', 'a picture')
        form.set('picture', new Blob([picture]), 'naïve name.png')
        const response = await fetch(`${gateway.url}/body.php`, { method: 'POST', body: form })
        const received = (await response.json()) as Received
        assert.deepEqual(received.post, { title: 'a picture' })
        assert.equal(received.files.picture?.error, 0)
        assert.equal(received.files.picture?.name, 'naïve name.png')
        assert.equal(received.files.picture?.sha256, sha256(picture))
      })

      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'REPORT']) {
        it(`hands a ${method} its body`, async () => {
          const received = await askJson<Received>(`${gateway.url}/body.php`, {
            method,
            headers: { 'Content-Type': 'text/plain' },
            body: 'hello',
          })
          assert.equal(received.method, method)
          assert.equal(received.sha256, sha256(Buffer.from('hello')))
          assert.equal(received.contentType, 'text/plain')
        })
      }

      it('brings a binary POST of 20 MB with the same hash', async () => {
        const body = randomBytes(20 * MEGABYTE)
        const received = await askJson<Received>(`${gateway.url}/body.php`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/octet-stream' },
          body,
        })
        assert.equal(received.length, body.length)
        assert.equal(received.sha256, sha256(body))
        assert.equal(received.contentLength, String(body.length))
      })

      for (const size of [0, 1, 65_535, 65_536, 3 * MEGABYTE]) {
        it(`brings a chunked POST of ${size} bytes with its length`, async () => {
          const bytes = randomBytes(size)
          const half = size >> 1
          const received = await askJson<Received>(`${gateway.url}/body.php`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/octet-stream', 'Transfer-Encoding': 'chunked' },
            body: [bytes.subarray(0, half), bytes.subarray(half)],
          })
          assert.equal(received.length, size)
          assert.equal(received.sha256, sha256(bytes))
          assert.equal(received.contentLength, String(size))
          assert.equal(received.transferEncoding, null)
        })
      }

      it('sends 20 MB there and back at once', async () => {
        const body = randomBytes(20 * MEGABYTE)
        const answer = await ask(`${gateway.url}/echo.php`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/octet-stream' },
          body,
        })
        assert.equal(sha256(answer.body), sha256(body))
      })

      for (const length of [true, false]) {
        it(`streams a download of 50 MB ${length ? 'with' : 'without'} Content-Length`, async () => {
          const bytes = 50 * MEGABYTE
          const message = await open(`${gateway.url}/download.php?bytes=${bytes}${length ? '&length=1' : ''}`)
          const hash = createHash('sha256')
          for await (const piece of message) hash.update(piece as Buffer)
          assert.equal(message.headers['content-length'], length ? String(bytes) : undefined)
          assert.equal(hash.digest('hex'), downloadHash(bytes))
        })
      }

      it('lets flush() reach the client before the script ends', async () => {
        const gate = join(place.path, 'flush-gate')
        const message = await open(`${gateway.url}/flush.php?gate=${gate}`)
        const first = await new Promise<string>((resolve) => message.once('data', (piece) => resolve(String(piece))))
        assert.equal(first, 'before\n')
        // The script waits for this file, so that whoever held the first line back would wait for ever.
        writeFileSync(gate, '')
        assert.equal(String(await read(message)), 'after\n')
      })

      it('sends each event of an event stream on its own', async () => {
        const gate = join(place.path, 'event-gate-')
        writeFileSync(`${gate}1`, '')
        const message = await open(`${gateway.url}/events.php?events=3&gate=${gate}`)
        assert.equal(message.headers['content-type'], 'text/event-stream;charset=UTF-8')
        const events: string[] = []
        for await (const piece of message) {
          events.push(String(piece))
          writeFileSync(`${gate}${events.length + 1}`, '')
        }
        assert.deepEqual(
          events,
          [1, 2, 3].map((number) => `id: ${number}\ndata: event ${number}\n\n`),
        )
      })

      it('passes three Set-Cookie as three', async () => {
        const answer = await ask(`${gateway.url}/cookies.php`)
        assert.deepEqual(
          answer.headers['set-cookie']?.map((line) => line.split(';')[0]),
          ['one=1', 'two=2', 'three=a%2C%20b'],
        )
        assert.equal(answer.rawHeaders.filter((name) => name.toLowerCase() === 'set-cookie').length, 3)
      })

      for (const [what, request, head] of [
        ['HEAD', 'HEAD /status.php?code=200', /^HTTP\/1\.1 200 /],
        ['HEAD of an error', 'HEAD /status.php?code=404', /^HTTP\/1\.1 404 /],
        ['204', 'GET /status.php?code=204', /^HTTP\/1\.1 204 /],
        ['304', 'GET /status.php?code=304', /^HTTP\/1\.1 304 /],
      ] as const) {
        it(`sends no body after ${what}, and the next answer on the connection is whole`, async () => {
          const next = 'GET /status.php?code=299&reason=Next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
          const bytes = await rawRequest(gateway.port, `${request} HTTP/1.1\r\nHost: a\r\n\r\n${next}`)
          const [first = '', second = ''] = bytes.toString('latin1').split('\r\n\r\n')
          assert.match(first, head)
          assert.match(second, /^HTTP\/1\.1 299 Next\r\n/, 'something stands between the head and the next answer')
          if (what === '204') assert.doesNotMatch(first, /content-length|transfer-encoding/i)
          if (what === '304') assert.match(first, /^ETag: "fixture"$/im)
        })
      }

      it('keeps the status and the reason of the script', async () => {
        const teapot = await ask(`${gateway.url}/status.php?code=418&reason=Short+and+stout`)
        assert.equal(teapot.status, 418)
        assert.equal(teapot.reason, 'Short and stout')
        const gone = await ask(`${gateway.url}/status.php?code=410`)
        assert.equal(gone.status, 410)
        assert.equal(gone.reason, 'Gone')
      })

      it('passes redirects on as they are', async () => {
        const answer = await ask(`${gateway.url}/location.php?to=/elsewhere?a%3Db`)
        assert.equal(answer.status, 302)
        assert.equal(answer.headers.location, '/elsewhere?a=b')
        const permanent = await ask(`${gateway.url}/location.php?code=308&to=https://example.org/`)
        assert.equal(permanent.status, 308)
        assert.equal(permanent.headers.location, 'https://example.org/')
      })

      it('keeps repeated response headers in their order', async () => {
        const lines = ['Link: </a>; rel=preload', 'Link: </b>; rel=next', 'Vary: Accept', 'Vary: Cookie']
        const query = lines.map((line) => `line[]=${encodeURIComponent(line)}`).join('&')
        const answer = await ask(`${gateway.url}/lines.php?${query}`)
        const pairs: string[] = []
        for (let at = 0; at < answer.rawHeaders.length; at += 2) {
          if (/^(link|vary)$/i.test(answer.rawHeaders[at] ?? ''))
            pairs.push(`${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}`)
        }
        assert.deepEqual(pairs, lines)
      })

      it('passes large response headers', async () => {
        const answer = await ask(`${gateway.url}/headers.php?lines=20&bytes=2000`, { maxHeaderSize: 100_000 })
        assert.equal(answer.status, 200)
        assert.equal(answer.headers['x-line-20'], 'v'.repeat(2000))
      })

      it('sends the error log to our log and not to the client', async () => {
        const answer = await ask(`${gateway.url}/log.php?text=a+word+for+the+operator&times=3`)
        assert.equal(answer.text, 'line 1\nline 2\nline 3\n')
        const lines = gateway.log.filter((line) => line.includes('a word for the operator'))
        assert.ok(lines.length > 0)
        assert.match(lines.join('\n'), /GET/)
        assert.match(lines.join('\n'), /log\.php/)
      })

      it('uses an answer that comes before the body was read', async () => {
        const answer = await ask(`${gateway.url}/early.php`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/octet-stream' },
          body: randomBytes(8 * MEGABYTE),
        })
        assert.equal(answer.status, 413)
        assert.equal(answer.text, 'refused unread\n')
        assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
      })

      it('answers 200 with no body for a script that says nothing', async () => {
        const answer = await ask(`${gateway.url}/empty.php`)
        assert.equal(answer.status, 200)
        assert.equal(answer.text, '')
      })

      it('keeps a session over its cookie', async () => {
        const first = await ask(`${gateway.url}/session.php`)
        const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
        const second = await ask(`${gateway.url}/session.php`, { headers: { Cookie: cookie } })
        assert.deepEqual([first.text, second.text], ['1', '2'])
      })

      it(keepAlive ? 'serves ten requests on one connection' : 'opens a connection for every request', async () => {
        const relay = await startRelay(fpm.address)
        const another = await serve({ root: phpRoot, server: relay.address, keepAlive })
        try {
          for (let turn = 0; turn < 10; turn++) assert.equal((await ask(`${another.url}/process.php`)).status, 200)
          assert.equal(relay.connections, keepAlive ? 1 : 10)
        } finally {
          await another.close()
          await relay.close()
        }
      })

      it('leaves no child busy', async () => {
        await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
      })
    })
  }
}
