import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { buffer } from 'node:stream/consumers'
import { after, describe, it } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { type FakeRequest, type FakeScript, stdout } from '../support/responder.ts'
import { bodyOf, type FakedSite, fakedSite, type RawClient, statusOf } from '../support/responder-site.ts'

// Where bodies are spooled: what stays there was left by us.
const directory = privateDirectory('bodies')
process.env.TMPDIR = directory.path
after(() => directory.remove())

/** Answers with what came, once the whole of it has. */
const counts: FakeScript = async (request) => {
  await request.body()
  await request.answer(
    `A: b\r\n\r\n${request.stdinLength} of ${request.params.get('CONTENT_LENGTH')} ${request.stdinHash}`,
  )
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that are not the same at any two places near each other. */
function someBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index ^ (index >> 8) ^ (index >> 16)) & 0xff))
}

function head(length: number, more = ''): string {
  return `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n${more}\r\n`
}

const CHUNKED = 'POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'

function chunk(bytes: Buffer | string): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    Buffer.from(bytes as string),
    Buffer.from('\r\n'),
  ])
}

function post(site: FakedSite, body: Buffer, more = 'Connection: close\r\n'): Promise<string> {
  return site.raw(Buffer.concat([Buffer.from(head(body.length, more)), body]))
}

/** Bytes that have left the client's process. */
function taken(client: RawClient): number {
  return client.socket.bytesWritten - client.socket.writableLength
}

/** Nothing of a temporary file can be seen. */
function leavesNoFile(): void {
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith('express-fastcgi-')),
    [],
  )
}

describe('STDIN', () => {
  for (const length of [1, 4, 65_534, 65_535, 65_536, 65_537, 131_071, 1_048_576, 1_048_577, 20_000_000]) {
    it(`is exactly the ${length} bytes of the body, then its end`, async () => {
      const body = length > 2_000_000 ? Buffer.alloc(length, someBytes(65_521)) : someBytes(length)
      for (const requestBuffering of ['auto', 'on', 'off'] as const) {
        await using site = await fakedSite(counts, { requestBuffering }, { fake: { discardStdin: true } })
        assert.equal(bodyOf(await post(site, body)), `${length} of ${length} ${hashOf(body)}`)
      }
    })

    it(`is exactly the ${length} bytes of a chunked body, whose length is told`, async () => {
      const body = length > 2_000_000 ? Buffer.alloc(length, someBytes(65_521)) : someBytes(length)
      await using site = await fakedSite(counts, {}, { fake: { discardStdin: true } })
      const middle = Math.floor(length / 3)
      const chunks = [body.subarray(0, middle), body.subarray(middle)].filter((piece) => piece.length > 0).map(chunk)
      const raw = await site.raw(Buffer.concat([Buffer.from(CHUNKED), ...chunks, Buffer.from('0\r\n\r\n')]))
      assert.equal(bodyOf(raw), `${length} of ${length} ${hashOf(body)}`)
      const [request] = site.fake.requests
      assert.equal(request?.params.has('HTTP_TRANSFER_ENCODING'), false)
      leavesNoFile()
    })
  }

  it('is ended at once where there is no body', async () => {
    for (const [request, contentLength] of [
      ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', undefined],
      ['DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', undefined],
      [head(0, 'Connection: close\r\n'), '0'],
      [`${CHUNKED}0\r\n\r\n`, '0'],
    ] as const) {
      await using site = await fakedSite(counts)
      await site.raw(request)
      const [seen] = site.fake.requests
      assert.equal(seen?.stdinLength, 0)
      assert.equal(seen?.stdinEnded, true)
      assert.equal(seen?.params.get('CONTENT_LENGTH'), contentLength, request)
    }
  })

  it('never has what follows the body on the connection of the client', async () => {
    await using site = await fakedSite(counts)
    const raw = await site.raw(`${head(4)}bodyGET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(raw, new RegExp(`4 of 4 ${hashOf(Buffer.from('body'))}`))
    // Node hands requests that were sent together over together: either may be at the backend first.
    const seen = new Map(site.fake.requests.map((request) => [request.params.get('REQUEST_URI'), request.stdinLength]))
    assert.deepEqual([seen.size, seen.get('/upload'), seen.get('/next')], [2, 4, 0])
  })

  it('has its length from us, whatever the operator sets', async () => {
    await using site = await fakedSite(counts, { params: { CONTENT_LENGTH: '99' } })
    assert.match(bodyOf(await post(site, Buffer.from('body'))) ?? '', /^4 of 4 /)
  })
})

describe('a body of up to 64 KiB', () => {
  it('is gathered: a slow client holds no connection', async () => {
    await using site = await fakedSite(counts)
    const body = someBytes(65_536)
    const client = site.client(head(body.length, 'Connection: close\r\n'))
    client.socket.write(body.subarray(0, 65_000))
    await eventually('the request has come', () => site.received.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(site.fake.connections.count, 0)
    client.socket.write(body.subarray(65_000))
    assert.match(bodyOf(await client.end()) ?? '', /^65536 of/)
  })

  it('leaves with its request in one write', async () => {
    let atOnce = false
    await using site = await fakedSite(async (request) => {
      // One write of this size is one read, or nearly; what follows in another turn has not come yet.
      await request.body()
      atOnce = true
      await counts(request)
    })
    await post(site, someBytes(1_000))
    assert.equal(atOnce, true)
    const [connection] = site.fake.connections.list
    assert.equal(connection?.reads, 1)
  })

  it('streams with requestBuffering off', async () => {
    await using site = await fakedSite(counts, { requestBuffering: 'off' })
    const client = site.client(`${head(8, 'Connection: close\r\n')}half`)
    const request = await site.fake.request(1)
    await site.fake.until(() => request.stdinLength === 4)
    assert.equal(request.stdinEnded, false)
    client.socket.write('more')
    assert.match(bodyOf(await client.end()) ?? '', /^8 of 8/)
  })
})

describe('a longer body of known length', () => {
  it('streams: the backend has the beginning before the client has sent the end', async () => {
    await using site = await fakedSite(counts)
    const body = someBytes(200_000)
    const client = site.client(head(body.length, 'Connection: close\r\n'))
    client.socket.write(body.subarray(0, 100_000))
    const request = await site.fake.request(1)
    await site.fake.until(() => request.stdinLength === 100_000)
    assert.equal(request.stdinEnded, false)
    client.socket.write(body.subarray(100_000))
    assert.equal(bodyOf(await client.end()), `200000 of 200000 ${hashOf(body)}`)
  })

  it('is gathered whole before a connection is taken with requestBuffering on', async () => {
    await using site = await fakedSite(counts, { requestBuffering: 'on' })
    const body = Buffer.alloc(3_000_000, 'some bytes')
    const client = site.client(head(body.length, 'Connection: close\r\n'))
    client.socket.write(body.subarray(0, 2_900_000))
    await eventually('all but the end was sent', () => taken(client) > 2_900_000)
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(site.fake.connections.count, 0)
    leavesNoFile()
    client.socket.write(body.subarray(2_900_000))
    assert.equal(bodyOf(await client.end()), `3000000 of 3000000 ${hashOf(body)}`)
  })

  it('is held back while the backend does not read', async () => {
    const total = 64 * 1024 * 1024
    let goOn: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    await using site = await fakedSite(
      async (request) => {
        request.connection.pause()
        await gate
        request.connection.resume()
        await counts(request)
      },
      {},
      { fake: { discardStdin: true } },
    )
    const body = Buffer.alloc(total, 'some bytes')
    const client = site.client(head(total, 'Connection: close\r\n'))
    await site.fake.request(1)
    let sent = 0
    client.socket.on('drain', () => pump())
    const pump = (): void => {
      while (sent < total && !client.socket.writableNeedDrain) {
        client.socket.write(body.subarray(sent, sent + 65_536))
        sent += 65_536
      }
    }
    pump()
    // Until it has stood still for a while: all buffers on the way are full.
    for (let before = -1; before !== taken(client); await new Promise((resolve) => setTimeout(resolve, 300))) {
      before = taken(client)
    }
    assert.ok(taken(client) < total / 2, `${taken(client)} bytes were taken for a backend that does not read`)
    goOn()
    assert.equal(bodyOf(await client.end()), `${total} of ${total} ${hashOf(body)}`)
  })

  it('that the client breaks off is never ended as if it were whole', async () => {
    for (const how of ['destroy', 'end'] as const) {
      await using site = await fakedSite(() => undefined)
      const client = site.client(head(200_000))
      client.socket.write(Buffer.alloc(100_000))
      const request = await site.fake.request(1)
      await site.fake.until(() => request.stdinLength === 100_000)
      client.socket[how]()
      await site.fake.until(() => request.connection.closed)
      assert.equal(request.stdinEnded, false)
      assert.equal(request.stdinLength, 100_000)
    }
  })
})

describe('a body of unknown length', () => {
  it('reaches no backend before it is whole', async () => {
    for (const length of [1_000, 3_000_000]) {
      await using site = await fakedSite(counts)
      const client = site.client(CHUNKED)
      client.socket.write(chunk(Buffer.alloc(length)))
      await eventually('it was sent', () => taken(client) > length)
      await new Promise((resolve) => setTimeout(resolve, 30))
      assert.equal(site.fake.connections.count, 0)
      leavesNoFile()
      client.socket.write('0\r\n\r\n')
      assert.match(bodyOf(await client.end()) ?? '', new RegExp(`^${length} of ${length} `))
    }
  })

  it('that the client breaks off reaches none at all', async () => {
    await using site = await fakedSite(counts)
    for (const length of [1_000, 3_000_000]) {
      const client = site.client(CHUNKED)
      client.socket.write(chunk(Buffer.alloc(length)))
      await eventually('it was sent', () => taken(client) > length)
      client.socket.end()
      await client.end()
    }
    assert.equal(site.fake.connections.count, 0)
    leavesNoFile()
  })

  it('is sent again from its temporary file', async () => {
    await using site = await fakedSite(async (request) => {
      await request.body()
      if (site.fake.requests.length === 1) await request.end({ protocolStatus: 2 })
      else await counts(request)
    })
    const body = Buffer.alloc(3_000_000, 'some bytes')
    const raw = await site.raw(Buffer.concat([Buffer.from(CHUNKED), chunk(body), Buffer.from('0\r\n\r\n')]))
    assert.equal(bodyOf(raw), `3000000 of 3000000 ${hashOf(body)}`)
    assert.deepEqual(
      site.fake.requests.map(({ stdinLength }) => stdinLength),
      [3_000_000, 3_000_000],
    )
  })
})

describe('an answer that comes before the body was sent', () => {
  const early: FakeScript = (request) => request.answer('Status: 403\r\n\r\nno')

  it('is used, and the connection of the client serves its next request', async () => {
    await using site = await fakedSite(early, { keepAlive: true, reuseAfterBody: true })
    const client = site.client(head(1_000_000))
    await client.contains('403')
    client.socket.write(Buffer.alloc(1_000_000))
    client.socket.write('GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const raw = await client.end()
    assert.equal(raw.match(/HTTP\/1\.1 403/g)?.length, 2, raw)
    assert.equal(site.fake.connections.count, 2)
    assert.equal(site.fake.requests[0]?.connection.closed, true)
    assert.ok((site.fake.requests[0]?.stdinLength ?? 0) < 1_000_000)
  })

  for (const more of ['', 'Connection: close\r\n']) {
    it(`reaches a client that reads only after it has sent everything${more === '' ? '' : ', and asks for the end of the connection'}`, async () => {
      await using site = await fakedSite(async (request: FakeRequest) => {
        request.connection.pause()
        await early(request)
      })
      const client = site.client(head(8_000_000, more))
      client.socket.pause()
      for (let sent = 0; sent < 8_000_000; sent += 500_000) {
        client.socket.write(Buffer.alloc(500_000))
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      await eventually('everything was sent', () => client.closed || client.socket.writableLength === 0)
      client.socket.resume()
      await client.contains('403')
    })
  }

  it('may go on after the body', async () => {
    await using site = await fakedSite(async (request) => {
      await request.stdout('A: b\r\n\r\nbegun,')
      await request.body()
      await request.send(stdout(`${request.stdinLength}`))
      await request.end()
    })
    const client = site.client(head(200_000, 'Connection: close\r\n'))
    await client.contains('begun,')
    client.socket.write(Buffer.alloc(200_000))
    assert.equal(bodyOf(await client.end()), 'begun,200000')
  })
})

describe('a body that is refused', () => {
  for (const more of ['', 'Connection: close\r\n']) {
    it(`for its length is told to a client that sends all of it first${more === '' ? '' : ', and asks for the end of the connection'}`, async () => {
      await using site = await fakedSite(counts, { bodyLimit: '1m' })
      const client = site.client(head(8_000_000, more))
      client.socket.pause()
      for (let sent = 0; sent < 8_000_000; sent += 500_000) {
        client.socket.write(Buffer.alloc(500_000))
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      await eventually('everything was sent', () => client.closed || client.socket.writableLength === 0)
      client.socket.resume()
      await client.contains('413')
      assert.equal(site.fake.requests.length, 0)
    })
  }
})

describe('Expect: 100-continue', () => {
  it('is answered when the body is going to be read', async () => {
    for (const [length, requestBuffering] of [
      [4, 'auto'],
      [200_000, 'auto'],
      [200_000, 'on'],
    ] as const) {
      await using site = await fakedSite(counts, { requestBuffering })
      const client = site.client(head(length, 'Expect: 100-continue\r\nConnection: close\r\n'))
      await client.contains('HTTP/1.1 100 Continue\r\n\r\n')
      client.socket.write(Buffer.alloc(length))
      assert.match(await client.end(), new RegExp(`${length} of ${length} `))
    }
  })
})

describe('a body that middleware has read', () => {
  type Prepared = IncomingMessage & { body?: unknown; rawBody?: unknown }

  async function through(
    prepare: (req: Prepared, bytes: Buffer) => void,
    body: string,
    type: string,
  ): Promise<{ site: FakedSite; raw: string }> {
    const site = await fakedSite(counts, {}, { prepare: async (req) => prepare(req, await buffer(req)), next: true })
    try {
      const raw = await post(site, Buffer.from(body), `Content-Type: ${type}\r\nConnection: close\r\n`)
      return { site, raw }
    } finally {
      await site[Symbol.asyncDispose]()
    }
  }

  for (const [what, prepare, sent, type, expected] of [
    [
      'rawBody goes as it is',
      (req, bytes) => Object.assign(req, { rawBody: bytes, body: {} }),
      '{ "a" : 1 }',
      'application/json',
      '{ "a" : 1 }',
    ],
    ['a Buffer goes as it is', (req, bytes) => Object.assign(req, { body: bytes }), 'bytes', 'text/plain', 'bytes'],
    [
      'a string goes as it is',
      (req, bytes) => Object.assign(req, { body: String(bytes) }),
      'text é',
      'text/plain; charset=utf-8',
      'text é',
    ],
    [
      'JSON is written again',
      (req, bytes) => Object.assign(req, { body: JSON.parse(String(bytes)) }),
      '{ "a" : 1 }',
      'application/json',
      '{"a":1}',
    ],
    [
      'a form is written again',
      (req) => Object.assign(req, { body: { a: '1', b: ['2', '3 4'] } }),
      'a=1&b=2&b=3+4',
      'application/x-www-form-urlencoded',
      null,
    ],
  ] as const satisfies readonly (readonly [
    string,
    (req: Prepared, bytes: Buffer) => void,
    string,
    string,
    string | null,
  ])[]) {
    it(what, async () => {
      const { site, raw } = await through(prepare, sent, type)
      assert.equal(statusOf(raw), 200, site.log.join('\n'))
      const [request] = site.fake.requests
      assert.equal(request?.params.get('CONTENT_LENGTH'), String(request?.stdinLength))
      if (expected !== null) assert.equal(String(request?.stdin), expected)
      else assert.match(decodeURIComponent(String(request?.stdin)), /^a=1&b(\[0?\])?=2&b(\[1?\])?=3[ +]4$/)
    })
  }

  it('as multipart is an error that names the cure, never an empty $_POST', async () => {
    const { site, raw } = await through(
      (req) => Object.assign(req, { body: {} }),
      'whatever',
      'multipart/form-data; boundary=x',
    )
    assert.equal(statusOf(raw), 500)
    assert.equal(site.errors[0]?.code, 'ERR_FCGI_BODY_CONSUMED')
    assert.match(site.errors[0]?.detail ?? '', /before/)
    assert.equal(site.fake.requests.length, 0)
  })
})
