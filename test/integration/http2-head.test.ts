import assert from 'node:assert/strict'
import { type ClientHttp2Session, connect, createServer } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import { fastcgi } from '../../lib/index.ts'
import { listen } from '../support/listen.ts'
import { type Fake, startFake } from '../support/responder.ts'

/** What a client sees of one answer; a stream that is reset rejects. */
function get(session: ClientHttp2Session, path: string): Promise<{ status: number; long: number; body: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path })
    let head = { status: 0, long: 0 }
    let body = ''
    stream.on('response', (headers) => {
      head = { status: headers[':status'] ?? 0, long: String(headers['x-long'] ?? '').length }
    })
    stream.setEncoding('latin1').on('data', (text) => {
      body += text
    })
    stream.on('error', reject)
    stream.on('close', () => resolve({ ...head, body }))
  })
}

// Node ends a stream whose head is longer than nghttp2 takes, and tells neither the client nor us why.
describe('A long head over HTTP/2', () => {
  let fake: Fake
  before(async () => {
    fake = await startFake(async (request) => {
      const length = Number(/\d+/.exec(request.params.get('REQUEST_URI') ?? ''))
      await request.answer(`Content-Type: text/plain\r\nX-Long: ${'v'.repeat(length)}\r\n\r\nbody`)
    })
  })
  after(() => fake.stop())

  it('is sent as long as it can be, and is a 502 from then on, never a stream without an answer', async () => {
    const handler = fastcgi({
      server: fake.address,
      scriptFilename: '/program',
      locations: [{ name: 'program', match: '/{*path}' }],
      logger: false,
    })
    let cookies: readonly string[] = []
    const server = createServer((req, res) => {
      if (cookies.length > 0) res.setHeader('Set-Cookie', cookies)
      handler(req as never, res as never)
    })
    await using listening = await listen(server as never)
    const session = connect(`http://127.0.0.1:${listening.port}`, { settings: { maxHeaderListSize: 200_000 } })
    let longest = 0
    for (let length = 65_000; length < 65_500; length += 10) {
      const { status, long, body } = await get(session, `/${length}`)
      if (status === 200) {
        assert.deepEqual([long, body], [length, 'body'])
        assert.equal(longest, longest === 0 ? 0 : length - 10, 'what is longer than a refused one is not sent')
        longest = length
      } else assert.deepEqual([status, body], [502, '502 Bad Gateway\n'], `${length} bytes`)
    }
    assert.ok(longest >= 65_000, 'nothing is refused that could be sent by and large')
    cookies = Array.from({ length: 100 }, () => 'a=b')
    for (const [length, expected] of [
      [62_000, 200],
      [63_500, 502],
    ] as const) {
      assert.equal(
        (await get(session, `/${length}`)).status,
        expected,
        'what middleware has set counts, value by value',
      )
    }
    session.close()
    await handler.close()
  })
})
