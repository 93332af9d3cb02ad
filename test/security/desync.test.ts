import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import express from 'express'
import { fastcgi } from '../../lib/index.ts'
import { FCGI_STDOUT } from '../../lib/protocol/constants.ts'
import { phpRoot } from '../support/gateway.ts'
import { ask, askJson } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { end, type FakeScript, record, startFake, stdout } from '../support/responder.ts'
import { fakedSite, statusOf } from '../support/responder-site.ts'

// Where one message ends and the next begins, for both ends of the gateway.

/** Answers with the body's length, as announced and as it came. */
const measures: FakeScript = async (request) => {
  const body = await request.body()
  await request.answer(`A: b\r\n\r\n${request.params.get('CONTENT_LENGTH')} ${body.length} ${body.toString('latin1')}`)
}

/** An Express application whose parsers have read every body before the gateway sees it. */
async function parsedSite(address: string) {
  const app = express()
  app.use(express.json(), express.urlencoded({ extended: true }), express.text())
  const handler = fastcgi({ root: phpRoot, server: address, keepAlive: true, reuseAfterBody: true, logger: false })
  app.use(handler)
  const listening = await listen(createServer(app))
  return {
    url: `http://127.0.0.1:${listening.port}`,
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]()
      await handler.close()
    },
  }
}

const REWRITTEN: readonly (readonly [string, Record<string, string>, Buffer, string])[] = [
  [
    'inflated JSON',
    { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    gzipSync(JSON.stringify({ text: 'long '.repeat(50_000) })),
    JSON.stringify({ text: 'long '.repeat(50_000) }),
  ],
  [
    'JSON that shrinks',
    { 'Content-Type': 'application/json' },
    Buffer.from('{ "a" : "\\u00e4\\u00f6" ,  "b" :   [ 1.50 ] }'),
    '{"a":"äö","b":[1.5]}',
  ],
  [
    'JSON in UTF-16, half as long in UTF-8',
    { 'Content-Type': 'application/json; charset=utf-16le' },
    Buffer.from('{"name":"value"}', 'utf16le'),
    '{"name":"value"}',
  ],
  [
    'an inflated form',
    { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Encoding': 'gzip' },
    gzipSync('a=%41&b[]=1&b[]=2'),
    'a=A&b%5B0%5D=1&b%5B1%5D=2',
  ],
  ['text in latin1', { 'Content-Type': 'text/plain; charset=latin1' }, Buffer.from('caf\xe9', 'latin1'), 'café'],
]

describe('A body that a parser has rewritten', () => {
  for (const [what, headers, sent, rewritten] of REWRITTEN) {
    it(`has the length of what is sent on, not of what the client sent: ${what}`, async () => {
      const app = express()
      app.use(express.json({ limit: '1mb' }), express.urlencoded({ extended: true }), express.text())
      const fake = await startFake(measures)
      const handler = fastcgi({
        scriptFilename: '/app/x.php',
        match: /^/,
        server: fake.address,
        keepAlive: true,
        reuseAfterBody: true,
        logger: false,
      })
      app.use(handler)
      await using listening = await listen(createServer(app))
      for (let round = 1; round <= 2; round += 1) {
        const { body, status } = await ask(`http://127.0.0.1:${listening.port}/`, {
          method: 'POST',
          headers,
          body: sent,
        })
        assert.equal(status, 200)
        const length = Buffer.byteLength(rewritten)
        assert.equal(body.toString('latin1'), `${length} ${length} ${Buffer.from(rewritten).toString('latin1')}`)
        const { params } = await fake.request(round)
        assert.equal(params.get('HTTP_CONTENT_ENCODING'), undefined)
      }
      assert.equal(fake.connections.count, 1, 'a body was not as long as announced')
      await handler.close()
      await fake.stop()
    })
  }
})

describe('A length', () => {
  it('over 32 bits is not cut: the body of 4 GiB and 5 bytes is not over after 5', async () => {
    await using site = await fakedSite(() => undefined, { bodyLimit: 'unlimited' })
    const length = 2 ** 32 + 5
    const client = site.client(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\nhello`)
    const request = await site.fake.request(1)
    await site.fake.until(() => request.stdinLength === 5)
    assert.equal(request.params.get('CONTENT_LENGTH'), String(length))
    assert.equal(request.stdinEnded, false)
    client.socket.destroy()
    await request.gone()
    assert.equal(request.stdinEnded, false)
  })

  for (const length of ['18446744073709551621', '9007199254740993', '0x5', '5, 5', '-5', '5 5', '５']) {
    it(`that is no number of bytes reaches no backend: ${length}`, async () => {
      await using site = await fakedSite(measures, { bodyLimit: 'unlimited' })
      const client = site.client(
        Buffer.from(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\nhello`),
      )
      await client.contains('\r\n\r\n')
      assert.equal(statusOf(client.text), 400)
      assert.equal(site.fake.connections.count, 0)
    })
  }

  it('beside a Transfer-Encoding reaches no backend (request smuggling, RFC 9112 section 6.1)', async () => {
    await using site = await fakedSite(measures)
    for (const fields of [
      'Content-Length: 4\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: chunked\r\nContent-Length: 4',
      'Content-Length: 4\r\nContent-Length: 5',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: gzip, chunked',
      'Transfer-Encoding: chunked, chunked',
      'Transfer-Encoding:\r\n chunked',
    ]) {
      const raw = await site.raw(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n\r\n0\r\n\r\nGET /`)
      assert.ok([400, 501].includes(statusOf(raw)), `${fields}: ${raw}`)
    }
    assert.equal(site.fake.connections.count, 0)
  })
})

/** Bytes of the record with the head, before the long ones. */
const HEAD_RECORD = 8 + 'A: b\r\n\r\n'.length + 255

describe('The longest records', () => {
  it('of 65,535 bytes and a padding of 255 are counted in more than 16 bits (CVE-2026-55203)', async () => {
    const body = Buffer.from(Array.from({ length: 65_535 * 3 }, (_, index) => (index * 7 + (index >> 8)) & 0xff))
    const answerOf = (requestId: number): Buffer => {
      const shape = { requestId, padding: 255 }
      const pieces = [0, 1, 2].map((n) => body.subarray(n * 65_535, (n + 1) * 65_535))
      const records = pieces.map((content) => record({ type: FCGI_STDOUT, content, ...shape }))
      return Buffer.concat([stdout('A: b\r\n\r\n', shape), ...records, end(shape)])
    }
    // Whole, and cut where 16 bits would have come round: behind 254 bytes of the content, and around the padding.
    for (const cuts of [[], [8 + 254], [8 + 65_535], [8 + 65_536 + 254], [8 + 65_535 + 255 - 1]]) {
      await using site = await fakedSite(
        (request) => {
          const wire = answerOf(request.id)
          const [cut = wire.length] = cuts
          return request.send(wire.subarray(0, HEAD_RECORD + cut), wire.subarray(HEAD_RECORD + cut))
        },
        { keepAlive: true },
      )
      for (let round = 0; round < 2; round += 1) {
        const { body: received } = await ask(site.url)
        assert.ok(received.equals(body), `${received.length} bytes, cut at ${cuts}`)
      }
      assert.equal(site.fake.connections.count, 1, 'the padding was not skipped to its last byte')
    }
  })
})

/** Values around each border of a length: 1 or 4 bytes of it, and what fits a record beside names of such lengths. */
const NAMES = [1, 127, 128, 129].map((length) => 'N'.repeat(length))
const VALUES = [0, 1, 126, 127, 128, 129, 255, 256, 32_767, 32_768, 65_000]

/** The longest value that fits a record beside a name: 65,535 bytes with both lengths. */
function longestValue(name: string): number {
  return 65_535 - (name.length < 128 ? 1 : 4) - 4 - name.length
}

/** Sets of parameters that keep below 256 KiB, each a name with a value of a border length. */
function* borders(): Generator<Record<string, string>> {
  for (const name of NAMES) {
    for (const length of [...VALUES, longestValue(name) - 1, longestValue(name)]) yield { [name]: 'v'.repeat(length) }
  }
  // Together: where a record is full to the last byte, or short of one.
  yield { A: 'a'.repeat(65_527 - 1), B: 'b'.repeat(65_527), C: 'c'.repeat(127), D: 'd'.repeat(128) }
  yield Object.fromEntries([126, 127, 128, 129].map((length) => ['N'.repeat(length), 'v'.repeat(length)]))
}

describe('A pair at the border of a length', () => {
  it('reaches a responder as it is, all others with it', async () => {
    for (const params of borders()) {
      await using site = await fakedSite(measures, { params })
      assert.equal(statusOf(await site.get('/q')), 200, site.log.join())
      const request = await site.fake.request(1)
      for (const [name, value] of Object.entries(params)) {
        assert.equal(request.params.get(name) ?? '', value, `${name.length} ${value.length}`)
      }
      assert.equal(request.params.get('REQUEST_URI'), '/q')
      assert.equal(request.pairs.length, request.params.size)
    }
  })

  it('reaches a responder where it fills a record to the last byte, and where it misses its place by one', async () => {
    const params = { A: (req: IncomingMessage) => 'a'.repeat(Number(req.url?.slice(1))), B: 'b'.repeat(127) }
    await using site = await fakedSite(measures, { params })
    await site.get('/60000')
    const { pairs } = await site.fake.request(1)
    const framing = (text: string): number => (text.length < 128 ? 1 : 4)
    const others = pairs.filter(([name]) => name !== 'A' && name !== 'B')
    const length = others.reduce(
      (sum, [name, value]) => sum + framing(name) + framing(value) + name.length + value.length,
      0,
    )
    const full = 65_535 - length - 'A'.length - 1 - 4
    for (let n = full - 131; n <= full + 2; n += 1) {
      assert.equal(statusOf(await site.get(`/${n}`)), 200, site.log.join())
      const request = site.fake.requests.at(-1)
      assert.deepEqual([request?.params.get('A')?.length, request?.params.get('B')], [n, params.B])
    }
  })

  it('that a record cannot hold is refused before anything is sent, never cut: 65,535 bytes and more', async () => {
    for (const [name, length] of [
      ['N', longestValue('N') + 1],
      ['N'.repeat(127), longestValue('N'.repeat(127)) + 1],
      ['N'.repeat(128), longestValue('N'.repeat(128)) + 1],
      ['N', 65_535],
      ['N', 65_536],
      ['N', 65_536 + 5],
    ] as const) {
      await using site = await fakedSite(measures, { params: { [name]: 'v'.repeat(length) } })
      assert.equal(statusOf(await site.get()), 431, `${name.length} ${length}`)
      assert.equal(site.fake.connections.count, 0)
    }
  })

  it('is the same of a header that the client sends, where Node lets such headers in', async () => {
    const fake = await startFake(measures)
    const handler = fastcgi({ scriptFilename: '/app/x.php', match: /^/, server: fake.address, logger: false })
    await using listening = await listen(createServer({ maxHeaderSize: 1024 * 1024 }, (req, res) => handler(req, res)))
    const longest = longestValue('HTTP_X')
    for (const [length, status] of [
      [127, 200],
      [128, 200],
      [longest, 200],
      [longest + 1, 431],
      [65_535, 431],
      [65_536 + 127, 431],
    ] as const) {
      const { length: seen } = fake.requests
      const answer = await ask(`http://127.0.0.1:${listening.port}/`, { headers: { X: 'v'.repeat(length) } })
      assert.equal(answer.status, status, String(length))
      if (status === 200) assert.equal(fake.requests[seen]?.params.get('HTTP_X')?.length, length)
      else assert.equal(fake.requests.length, seen)
    }
    await handler.close()
    await fake.stop()
  })
})

backend('php-fpm').describe('php-fpm', () => {
  let fpm: PhpFpm

  before(async () => {
    fpm = await startPhpFpm()
  })
  after(() => fpm?.stop())

  it('has every pair at the border of a length as it was sent', async () => {
    for (const params of borders()) {
      const handler = fastcgi({ root: phpRoot, server: fpm.address, params, logger: false })
      await using listening = await listen(createServer((req, res) => handler(req, res)))
      const server = await askJson(`http://127.0.0.1:${listening.port}/server.php?q=1`)
      for (const [name, value] of Object.entries(params)) {
        assert.equal(server[name] ?? '', value, `${name.length} ${value.length}`)
      }
      assert.equal(server.QUERY_STRING, 'q=1')
      await handler.close()
    }
  })

  it('reads bodies that parsers have rewritten to their end, one after another on one connection', async () => {
    await using site = await parsedSite(fpm.address)
    for (const [what, headers, sent, rewritten] of REWRITTEN.slice(1)) {
      const { body, status } = await ask(`${site.url}/echo.php`, { method: 'POST', headers, body: sent })
      assert.equal(status, 200, what)
      assert.equal(body.toString('utf8'), rewritten, what)
    }
  })
})
