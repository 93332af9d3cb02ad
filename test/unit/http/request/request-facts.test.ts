import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { createServer as createHttpsServer, request as requestHttps } from 'node:https'
import { connect as connectSocket, type Server } from 'node:net'
import { describe, test } from 'node:test'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import type { RequestFacts } from '../../../../lib/cgi/facts.ts'
import type { TrustFunction } from '../../../../lib/http/request/forwarded.ts'
import { type HostRequest, requestFacts } from '../../../../lib/http/request/request-facts.ts'
import { listen } from '../../../support/listen.ts'

type Outcome = RequestFacts | { readonly code: string }

/** What a host makes of the bytes of one request. */
async function outcomeOf(
  host: (seen: RequestListener) => Server,
  bytes: string,
  trust: TrustFunction | null = null,
): Promise<Outcome> {
  let outcome: Outcome | undefined
  const server = host((req, res) => {
    try {
      outcome = requestFacts(req as HostRequest, trust)
    } catch (error) {
      outcome = error as { code: string }
    }
    res.end()
  })
  await using listening = await listen(server)
  await new Promise<void>((resolve, reject) => {
    const socket = connectSocket(listening.port, '127.0.0.1')
    socket
      .on('error', reject)
      .on('close', () => resolve())
      .resume()
    socket.end(Buffer.from(bytes, 'latin1'))
  })
  assert.ok(outcome !== undefined, 'the host never called the handler')
  return outcome
}

async function factsOf(
  host: (seen: RequestListener) => Server,
  bytes: string,
  trust: TrustFunction | null = null,
): Promise<RequestFacts> {
  const outcome = await outcomeOf(host, bytes, trust)
  assert.ok('method' in outcome, `refused: ${JSON.stringify(outcome)}`)
  return outcome
}

function get(target: string, ...headers: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, 'Host: example.com', 'Connection: close', ...headers, '', ''].join('\r\n')
}

function plain(seen: RequestListener): Server {
  return createServer(seen)
}

function mountedHosts(mount: string): readonly (readonly [string, (seen: RequestListener) => Server])[] {
  return [
    ['Express 5', (seen) => createServer(express().use(mount, seen))],
    ['Express 4', (seen) => createServer(express4().use(mount, seen))],
    ['Connect', (seen) => createServer(connect().use(mount, seen))],
  ]
}

function place({ target, path, query, mount, atMount }: RequestFacts): object {
  return { target, path, query, mount, atMount }
}

for (const [name, host] of [...mountedHosts('/'), ['node:http', plain] as const]) {
  describe(name, () => {
    test('has no mount at the root', async () => {
      const facts = await factsOf(host, get('/a/b.php/c?d=%20e'))
      assert.deepEqual(place(facts), {
        target: '/a/b.php/c?d=%20e',
        path: '/a/b.php/c',
        query: 'd=%20e',
        mount: '',
        atMount: false,
      })
    })

    test('gives what the connection says', async () => {
      const facts = await factsOf(host, get('/', 'X-A: b'))
      assert.equal(facts.method, 'GET')
      assert.equal(facts.protocol, 'HTTP/1.1')
      assert.equal(facts.scheme, 'http')
      assert.equal(facts.host, 'example.com')
      assert.equal(facts.serverName, 'example.com')
      assert.equal(facts.serverPort, '80')
      assert.equal(facts.serverAddress, '127.0.0.1')
      assert.equal(facts.remoteAddress, '127.0.0.1')
      assert.match(facts.remotePort, /^\d+$/)
      assert.equal(facts.headers['x-a'], 'b')
      assert.equal(facts.tls, undefined)
    })

    test('reduces an absolute-form target, whose authority counts', async () => {
      const facts = await factsOf(host, get('http://Other.example:8080/a?b'))
      assert.deepEqual(place(facts), { target: '/a?b', path: '/a', query: 'b', mount: '', atMount: false })
      assert.equal(facts.host, 'Other.example:8080')
      assert.equal(facts.serverName, 'other.example')
      assert.equal(facts.serverPort, '8080')
    })

    test('is not at a mount for an absolute-form target without a path', async () => {
      assert.equal((await factsOf(host, get('http://other.example'))).atMount, false)
    })
  })
}

for (const [name, host] of mountedHosts('/sub')) {
  describe(`${name}, mounted`, () => {
    for (const [target, path, query, mount, atMount] of [
      ['/sub/a.php/b?c', '/a.php/b', 'c', '/sub', false],
      ['/sub/', '/', '', '/sub', false],
      ['/sub', '/', '', '/sub', true],
      ['/sub?x=/y', '/', 'x=/y', '/sub', true],
      ['/SUB/a', '/a', '', '/SUB', false],
    ] as const) {
      test(`takes ${target} apart`, async () => {
        assert.deepEqual(place(await factsOf(host, get(target))), { target, path, query, mount, atMount })
      })
    }

    test('takes an absolute-form target apart', async () => {
      const facts = await factsOf(host, get('http://other.example/sub/a?b'))
      assert.deepEqual(place(facts), { target: '/sub/a?b', path: '/a', query: 'b', mount: '/sub', atMount: false })
      assert.equal((await factsOf(host, get('http://other.example/sub?b'))).atMount, true)
    })
  })
}

test('follows a URL that Express middleware has rewritten, and keeps REQUEST_URI', async () => {
  const host = (seen: RequestListener): Server => {
    const app = express()
    app.use((req, _res, next) => {
      req.url = '/index.php?é→'
      next()
    })
    return createServer(app.use(seen))
  }
  assert.deepEqual(place(await factsOf(host, get('/pretty/page?a'))), {
    target: '/pretty/page?a',
    path: '/index.php',
    query: '\xc3\xa9\xe2\x86\x92',
    mount: '',
    atMount: false,
  })
})

test('counts headers as other middleware leaves them', async () => {
  const host = (seen: RequestListener): Server =>
    createServer((req, res) => {
      delete req.headers['x-secret']
      req.headers['x-user'] = 'set'
      seen(req, res)
    })
  const { headers } = await factsOf(host, get('/', 'X-Secret: 1'))
  assert.equal(headers['x-secret'], undefined)
  assert.equal(headers['x-user'], 'set')
})

test('gives HTTP/1.0 without a Host the name of the socket', async () => {
  const facts = await factsOf(plain, 'GET / HTTP/1.0\r\n\r\n')
  assert.equal(facts.protocol, 'HTTP/1.0')
  assert.equal(facts.host, undefined)
  assert.equal(facts.serverName, '127.0.0.1')
  assert.equal(facts.serverPort, '80')
})

test('leaves OPTIONS * as it is', async () => {
  const facts = await factsOf(plain, get('*').replace('GET', 'OPTIONS'))
  assert.equal(facts.path, '*')
})

for (const header of [
  'Host: example.com',
  'Content-Type: a/b\r\ncontent-type: a/b',
  'Authorization: a\r\nAUTHORIZATION: b',
]) {
  test(`refuses two of ${header.split(':')[0]}`, async () => {
    const outcome = await outcomeOf(plain, get('/', header))
    assert.equal('code' in outcome && outcome.code, 'ERR_FCGI_DUPLICATE_HEADER')
  })
}

test('refuses two of Content-Length, should a parser ever let them pass', () => {
  const req = { rawHeaders: ['Content-Length', '1', 'content-length', '1'] }
  assert.throws(() => requestFacts(req as unknown as HostRequest, null), { code: 'ERR_FCGI_DUPLICATE_HEADER' })
})

test('refuses a malformed Host', async () => {
  const outcome = await outcomeOf(plain, get('/').replace('Host: example.com', 'Host: a/b'))
  assert.equal('code' in outcome && outcome.code, 'ERR_FCGI_BAD_TARGET')
})

const forwarded = [
  'X-Forwarded-For: 198.51.100.1, 192.0.2.1',
  'X-Forwarded-Proto: https, http',
  'X-Forwarded-Host: Public.example:8443, inner',
]

describe('X-Forwarded-*', () => {
  const trustPeer: TrustFunction = (_address, hop) => hop === 0
  test('counts for nothing from a peer that is not trusted', async () => {
    for (const trust of [null, () => false]) {
      const facts = await factsOf(plain, get('/', ...forwarded), trust)
      assert.deepEqual(
        [facts.scheme, facts.serverName, facts.serverPort, facts.remoteAddress],
        ['http', 'example.com', '80', '127.0.0.1'],
      )
      assert.notEqual(facts.remotePort, '')
    }
  })

  test('counts from a trusted peer, but for HTTP_HOST', async () => {
    const facts = await factsOf(plain, get('/', ...forwarded), trustPeer)
    assert.equal(facts.scheme, 'https')
    assert.equal(facts.serverName, 'public.example')
    assert.equal(facts.serverPort, '8443')
    assert.equal(facts.host, 'example.com')
    assert.equal(facts.remoteAddress, '192.0.2.1')
    assert.equal(facts.remotePort, '')
  })

  test('has the port of X-Forwarded-Port before any other', async () => {
    const facts = await factsOf(plain, get('/', ...forwarded, 'X-Forwarded-Port: 444'), trustPeer)
    assert.equal(facts.serverPort, '444')
  })

  test('falls back where a trusted peer sends nonsense', async () => {
    const nonsense = [
      'X-Forwarded-For: unknown',
      'X-Forwarded-Proto: gopher',
      'X-Forwarded-Host: a/b',
      'X-Forwarded-Port: x',
    ]
    const facts = await factsOf(plain, get('/', ...nonsense), trustPeer)
    assert.deepEqual(
      [facts.scheme, facts.serverName, facts.serverPort, facts.remoteAddress],
      ['http', 'example.com', '80', '127.0.0.1'],
    )
    assert.notEqual(facts.remotePort, '')
  })

  for (const [name, app] of [
    ['Express 5', express()],
    ['Express 4', express4() as unknown as express.Express],
  ] as const) {
    test(`obeys the setting of ${name}, and agrees with its req.ip`, async () => {
      app.set('trust proxy', 'loopback')
      let ip: string | undefined
      const host = (seen: RequestListener): Server => {
        app.use((req: express.Request, res: express.Response) => {
          ip = req.ip
          seen(req, res)
        })
        return createServer(app)
      }
      const facts = await factsOf(host, get('/', ...forwarded))
      assert.equal(facts.remoteAddress, '192.0.2.1')
      assert.equal(facts.remoteAddress, ip)
      assert.equal(facts.scheme, 'https')
    })
  }
})

/** What is seen of one HTTP/2 request without TLS. */
async function http2Outcome(headers: Record<string, string>): Promise<Outcome> {
  let outcome: Outcome | undefined
  const server = createHttp2Server((req, res) => {
    try {
      outcome = requestFacts(req as unknown as HostRequest, null)
    } catch (error) {
      outcome = error as { code: string }
    }
    res.end()
  })
  await using listening = await listen(server)
  const session = connectHttp2(`http://127.0.0.1:${listening.port}`)
  try {
    await new Promise<void>((resolve, reject) => {
      session.on('error', reject)
      session
        .request({ ':path': '/a.php?b', ...headers })
        .on('error', reject)
        .on('close', resolve)
        .resume()
        .end()
    })
  } finally {
    session.close()
  }
  assert.ok(outcome !== undefined)
  return outcome
}

describe("node:http2's compatibility API", () => {
  test('takes the host from :authority', async () => {
    const facts = (await http2Outcome({ ':authority': 'h2.example:8443', cookie: 'a=1' })) as RequestFacts
    assert.equal(facts.protocol, 'HTTP/2.0')
    assert.equal(facts.host, 'h2.example:8443')
    assert.equal(facts.serverName, 'h2.example')
    assert.equal(facts.serverPort, '8443')
    assert.equal(facts.remoteAddress, '127.0.0.1')
    assert.match(facts.remotePort, /^\d+$/)
    assert.deepEqual(place(facts), { target: '/a.php?b', path: '/a.php', query: 'b', mount: '', atMount: false })
    assert.equal(facts.scheme, 'http')
  })

  test('lets a Host beside :authority say the same alone', async () => {
    const same = (await http2Outcome({ ':authority': 'h2.example', host: 'H2.example' })) as RequestFacts
    assert.equal(same.host, 'h2.example')
    const other = await http2Outcome({ ':authority': 'h2.example', host: 'other.example' })
    assert.equal('code' in other && other.code, 'ERR_FCGI_DUPLICATE_HEADER')
  })

  test('does not believe a client that says https without TLS', async () => {
    const facts = (await http2Outcome({ ':scheme': 'https' })) as RequestFacts
    assert.equal(facts.scheme, 'http')
  })
})

test('sees TLS', async () => {
  const pem = (name: string): Buffer => readFileSync(new URL(`../../../fixtures/tls/${name}`, import.meta.url))
  let facts: RequestFacts | undefined
  const server = createHttpsServer({ key: pem('server.key'), cert: pem('server.crt') }, (req, res) => {
    facts = requestFacts(req, null)
    res.end()
  })
  await using listening = await listen(server)
  await new Promise<void>((resolve, reject) => {
    const options = {
      port: listening.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      agent: false,
      headers: { host: 'example.com' },
    } as const
    requestHttps(options, (res) => res.resume().on('end', resolve))
      .on('error', reject)
      .end()
  })
  assert.equal(facts?.scheme, 'https')
  assert.equal(facts?.serverPort, '443')
  assert.equal(facts?.tls?.protocol, 'TLSv1.3')
})

test('has no addresses on a unix socket', async () => {
  const socket = {}
  const req = {
    rawHeaders: [],
    headers: { host: 'a' },
    socket,
    url: '/',
    method: 'GET',
    httpVersion: '1.1',
    httpVersionMajor: 1,
  }
  const facts = requestFacts(req as unknown as HostRequest, null)
  assert.deepEqual([facts.remoteAddress, facts.remotePort, facts.serverAddress], ['', '', ''])
})
