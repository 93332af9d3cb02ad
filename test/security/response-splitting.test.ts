import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createHttp2Server, connect as http2Connect } from 'node:http2'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { fastcgi } from '../../lib/index.ts'
import { listen } from '../support/listen.ts'
import { answer, end, type FakeRequest, type FakeScript, startFake, stderr, stdout } from '../support/responder.ts'
import { bodyOf, type FakedSite, fakedSite, fieldOf, splitHead, statusOf } from '../support/responder-site.ts'

// A script that writes what it was given into its head: the client gets one answer to one request, or a 502.

/** Answers the n-th path, `/0`, `/1`, …, with the n-th text. */
function choice(texts: readonly string[]): FakeScript {
  return (request) => request.answer(texts[Number(request.params.get('REQUEST_URI')?.slice(1))] ?? 'A: b\r\n\r\n')
}

/** One answer after another on one connection of a client, and that there are no more. */
async function answers(site: FakedSite, count: number): Promise<readonly string[]> {
  const requests = Array.from({ length: count }, (_, n) => {
    const last = n === count - 1 ? 'Connection: close\r\n' : ''
    return `GET /${n} HTTP/1.1\r\nHost: x\r\n${last}\r\n`
  })
  let rest = await site.raw(requests.join(''))
  const found: string[] = []
  while (rest !== '') {
    const [head, behind] = splitHead(rest)
    assert.match(head, /^HTTP\/1\.1 \d{3} /, 'what follows an answer is the next one')
    const length = Number(fieldOf(rest, 'Content-Length')[0] ?? Number.NaN)
    assert.ok(Number.isSafeInteger(length), head)
    found.push(`${head}\r\n\r\n${behind.slice(0, length)}`)
    rest = behind.slice(length)
  }
  return found
}

/** Each of these heads is a 502, of which nothing shows, and the answers around it are whole. */
async function refuses(heads: readonly string[]): Promise<void> {
  const texts = heads.flatMap((head) => [`${head}\r\n\r\n<injected>`, 'A: b\r\n\r\ngood'])
  await using site = await fakedSite(choice(texts), { keepAlive: true })
  const got = await answers(site, texts.length)
  assert.equal(got.length, texts.length)
  for (const [n, text] of got.entries()) {
    const what = JSON.stringify(texts[n])
    assert.equal(statusOf(text), n % 2 === 0 ? 502 : 200, what)
    if (n % 2 === 1) assert.equal(bodyOf(text), 'good')
    assert.doesNotMatch(text, /inject|evil/i, what)
  }
}

const CONTROLS = [...Array(32).keys(), 127].filter((code) => ![9, 10, 13].includes(code))

describe('A head that a client can write into', () => {
  it('is not cut short by a malformed line, which would make the headers behind it a body: CVE-2022-37436', async () => {
    const behind = 'Content-Security-Policy: injected\r\nSet-Cookie: injected=1'
    await refuses(
      ['X: a\rb', 'X: a\0b', 'no colon', ': nothing', 'X y: z', 'X\0: y', ' X: y', '\tX: y', 'X: a\x0bb'].map(
        (line) => `Content-Type: text/html\r\n${line}\r\n${behind}`,
      ),
    )
  })

  it('is not split by a line end in a value, a name, a status or a type: CVE-2023-38709, CVE-2024-42516', async () => {
    const second = 'HTTP/1.1 200 OK\rContent-Length: 8\r\r<evil/>'
    await refuses([
      `Content-Type: text/html\r${second}`,
      `Content-Type: text/html\r\r${second}`,
      `Location: /\rSet-Cookie: injected=1`,
      `Status: 200 OK\rSet-Cookie: injected=1`,
      `HTTP/1.1 200 OK\rSet-Cookie: injected=1\r\nA: b`,
      `X\rSet-Cookie: injected=1`,
      'X-Header: a\r \r\n\tSet-Cookie: injected=1',
    ])
  })

  it('has no control character in its names, its values or its reason', async () => {
    await refuses(
      CONTROLS.map((code) => String.fromCharCode(code)).flatMap((control) => [
        `X: a${control}injected`,
        `X${control}injected: a`,
        `Status: 200 a${control}injected`,
      ]),
    )
  })

  it('has no second answer behind a body: what a script frames itself is not passed on, CVE-2024-24795', async () => {
    const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
    const texts = [
      `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nsafe${evil}`,
      `Transfer-Encoding: chunked\r\n\r\n4\r\nsafe\r\n0\r\n\r\n${evil}`,
      `Transfer-Encoding: identity, chunked\r\nContent-Length: 4\r\n\r\n4\r\nsafe\r\n0\r\n\r\n${evil}`,
      `Content-Length: 0\r\n\r\n${evil}`,
      `Status: 204\r\nContent-Length: 0\r\n\r\n${evil}`,
      `Status: 304\r\n\r\n${evil}`,
      `Connection: keep-alive, Content-Length\r\nContent-Length: 4\r\n\r\nsafe${evil}`,
    ]
    await using site = await fakedSite(choice(texts), { keepAlive: true })
    for (const [n, text] of texts.entries()) {
      const raw = await site.raw(
        `GET /${n} HTTP/1.1\r\nHost: x\r\n\r\nGET /99 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      )
      assert.doesNotMatch(raw, /evil/, text)
      assert.equal(raw.match(/HTTP\/1\.1 \d{3}/g)?.length, 2, raw)
      assert.ok(!fieldOf(raw, 'Transfer-Encoding').includes('identity, chunked'))
    }
  })

  it('has a name that is a token and a status of an answer', async () => {
    await refuses([
      ...['X Y', 'X(Y', 'X{', 'X"', 'X/', 'X\xe4', 'X\x80', '@', '[X]', 'X\\', 'X,Y', 'X;'].map(
        (name) => `${name}: injected`,
      ),
      ...[
        '0',
        '99',
        '100',
        '101',
        '102',
        '199',
        '600',
        '999',
        '1000',
        '20',
        '-200',
        '+200',
        '2e2',
        '0x200',
        '200OK',
        'OK',
        '',
      ].map((status) => `Status: ${status}\r\nX: injected`),
      'HTTP/1.1 99 injected',
      'HTTP/2',
      'HTTP/1.1  200 injected'.replace('1.1', 'x.y'),
    ])
  })
})

/** How a client over some version of HTTP saw the end of an answer. */
type Seen = 'whole' | 'cut'

/** What the only client at a time has received, to be waited for: a reset that overtakes it would hide it. */
class Received {
  #text = ''
  #changed = (): void => undefined

  add(piece: string): void {
    this.#text += piece
    this.#changed()
  }

  async has(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    this.#text = ''
  }
}

/** A script of which the test decides how it goes on once its client has what was sent. */
type Interrupted = (request: FakeRequest, received: Received) => Promise<void>

/** A responder, its gateway over HTTP/1 and over HTTP/2, and a client of each. */
async function seenBy(script: Interrupted): Promise<Record<'1.0' | '1.1' | '2', Seen>> {
  const received = new Received()
  const fake = await startFake((request) => script(request, received))
  const handler = fastcgi({ scriptFilename: '/x.php', match: /^/, server: { address: fake.address }, logger: false })
  const server = createServer((req, res) => void handler(req, res))
  const http2Server = createHttp2Server((req, res) => handler(req as never, res as never))
  await using http1 = await listen(server)
  await using http2 = await listen(http2Server as never)
  try {
    return {
      '1.0': await seenByHttp1(http1.port, 'GET / HTTP/1.0\r\n\r\n', received),
      '1.1': await seenByHttp1(http1.port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', received),
      '2': await seenByHttp2(http2.port, received),
    }
  } finally {
    await handler.close()
    await fake.stop()
  }
}

/** By RFC 9112 section 8: a body is whole at its length, at its last chunk, or where neither is told at an orderly end. */
function seenByHttp1(port: number, request: string, received: Received): Promise<Seen> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    let text = ''
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more
      received.add(more)
    })
    const finish = (orderly: boolean): void => {
      const isFramed = fieldOf(text, 'Content-Length').length > 0 || fieldOf(text, 'Transfer-Encoding').length > 0
      resolve((isFramed ? bodyOf(text) !== null : orderly) ? 'whole' : 'cut')
    }
    socket.once('end', () => finish(true))
    socket.once('error', () => finish(false))
  })
}

function seenByHttp2(port: number, received: Received): Promise<Seen> {
  const session = http2Connect(`http://127.0.0.1:${port}`)
  return new Promise<Seen>((resolve) => {
    const stream = session.request({ ':path': '/' })
    let announced = Number.NaN
    let length = 0
    stream.once('response', (headers) => {
      announced = Number(headers['content-length'] ?? Number.NaN)
    })
    stream.on('data', (piece: Buffer) => {
      length += piece.length
      received.add(piece.toString('latin1'))
    })
    stream.on('error', () => undefined)
    stream.once('close', () => {
      const isWhole = stream.rstCode === 0 && (Number.isNaN(announced) || announced === length)
      resolve(isWhole ? 'whole' : 'cut')
    })
  }).finally(() => session.destroy())
}

/** The client has the head and the first bytes: a failure behind them can be told by the end of the connection alone. */
async function begin(request: FakeRequest, received: Received, head: string): Promise<void> {
  await request.stdout(`${head}\r\n\r\nhalf of it`)
  await received.has('half of it')
}

describe('An answer that is not whole', () => {
  const HEADS = [
    ['with Content-Length', 'Content-Length: 1000'],
    ['without Content-Length', 'Content-Type: text/plain'],
  ] as const
  const ENDS: readonly (readonly [string, (request: FakeRequest, received: Received) => Promise<void> | void])[] = [
    ['the connection is closed', (request) => request.connection.close()],
    ['the connection is reset', (request) => request.connection.reset()],
    ['a half of the connection is closed', (request) => request.connection.halfClose()],
    [
      'a record breaks off',
      async (request, received) => {
        await request.send(stdout('more').subarray(0, 9))
        await received.has('m')
        request.connection.close()
      },
    ],
    ['what comes is no record', (request) => request.send('HTTP/1.1 500\r\n')],
    ['another request ends', (request) => request.end({ requestId: 7 })],
    ['request 0 ends', (request) => request.end({ requestId: 0 })],
    ['it is rejected after all', (request) => request.end({ protocolStatus: 2 })],
  ]
  for (const [where, head] of HEADS) {
    for (const [how, breaks] of ENDS) {
      it(`never looks whole, over HTTP/1.0, 1.1 and 2, ${where}, when ${how}`, async () => {
        const seen = await seenBy(async (request, received) => {
          await begin(request, received, head)
          await breaks(request, received)
        })
        assert.deepEqual(seen, { '1.0': 'cut', '1.1': 'cut', '2': 'cut' })
      })
    }
  }

  it('never looks whole when the script ends below its Content-Length', async () => {
    const seen = await seenBy(async (request, received) => {
      await begin(request, received, 'Content-Length: 1000')
      await request.end()
    })
    assert.deepEqual(seen, { '1.0': 'cut', '1.1': 'cut', '2': 'cut' })
  })

  it('below its Content-Length takes nothing of the next answer for its rest', async () => {
    const received = new Received()
    await using site = await fakedSite(async (request) => {
      if (request.params.get('REQUEST_URI') === '/next') return request.answer('A: b\r\n\r\nnext')
      await begin(request, received, 'Content-Length: 1000')
      await request.end()
    })
    const client = site.client('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.contains('half of it')
    received.add('half of it')
    assert.equal((await client.end()).split('HTTP/1.1 ').length, 2, client.text)
  })

  it('is told from one that is, which is as long as announced whatever the script sends behind', async () => {
    for (const head of ['Content-Length: 10', 'Content-Type: text/plain']) {
      const seen = await seenBy(async (request, received) => {
        await begin(request, received, head)
        await request.send(stdout(head.includes('Length') ? ' and a lot more' : ' and the rest'), end())
      })
      assert.deepEqual(seen, { '1.0': 'whole', '1.1': 'whole', '2': 'whole' })
    }
  })
})

describe('The log', () => {
  /** A line end, an escape, a backspace, NEL, LINE SEPARATOR: each could begin an entry that nobody wrote. */
  const FORGED = 'x\r\n2026-01-01 [info] forged\n\x1b[2J\x1b]0;title\x07\x08\x00\x7f\x9b31m\x85'

  it('gets no line that a script, a header or a target forged (CWE-117)', async () => {
    const evil = Buffer.from(`${FORGED}\u2028forged\u2029\n`, 'utf8')
    await using site = await fakedSite((request) => {
      switch (request.params.get('REQUEST_URI')?.slice(0, 2)) {
        case '/1':
          return request.send(stderr(evil), stderr(FORGED), answer('A: b\r\n\r\n'))
        case '/2':
          return request.answer(`X: ${FORGED}\r\n\r\n`)
        case '/3':
          return request.answer(`ETag: a\r\nETag: b\x9b31m\x85\r\n\r\n`)
        case '/4':
          return request.send(FORGED)
        default:
          return request.send(stderr('said\n'), answer('A: b\r\n\r\n'))
      }
    })
    for (const path of ['/1', '/2', '/3', '/4', '/5\x9b31m\x85']) {
      await site.raw(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'latin1'))
    }
    const log = site.log.join('|')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    assert.doesNotMatch(log, /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/)
    assert.match(log, /\\x1b\[2J/)
    for (const line of site.log) assert.match(line, /^(?:GET |express-fastcgi)/, 'a line begins with who writes it')
  })
})
