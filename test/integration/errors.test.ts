import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { errorTable } from '../../lib/errors.ts'
import type { FastCgiErrorCode } from '../../lib/index.ts'
import { FastCgiError } from '../../lib/index.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { type FakeScript, record, startFake, stdout } from '../support/responder.ts'
import { startFull } from '../support/responder-full.ts'
import { bodyOf, type FakedSite, fakedSite, fieldOf, splitHead, statusOf } from '../support/responder-site.ts'

const GET = 'GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

const directory = privateDirectory('errors')
after(() => directory.remove())

/** A request that fails, and how. */
interface Failure {
  readonly what: string
  readonly code: FastCgiErrorCode
  readonly status: number
  readonly script?: FakeScript
  readonly request?: string
  readonly options?: Parameters<typeof fakedSite>[1]
  readonly address?: string
  readonly server?: { readonly maxConnections?: number }
  /** Done between the start of the site and the request. */
  readonly before?: (site: FakedSite) => void | Promise<void>
  /** What the log must say to the operator. */
  readonly detail: RegExp
}

function post(length: number, more = ''): string {
  return `POST /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n${more}\r\n${'b'.repeat(length)}`
}

const silent: FakeScript = () => undefined
const good: FakeScript = (request) => request.answer('A: b\r\n\r\nbody')

/** Occupies the only connection of the site, for as long as it lasts. */
async function occupy(site: FakedSite): Promise<void> {
  site.client('GET /first HTTP/1.1\r\nHost: x\r\n\r\n')
  await site.fake.request(1)
}

const file = join(directory.path, 'file')
writeFileSync(file, '')

const FAILURES: readonly Failure[] = [
  {
    what: 'a bad escape',
    code: 'ERR_FCGI_BAD_TARGET',
    status: 400,
    request: GET.replace('/page', '/%zz'),
    detail: /%zz/,
  },
  { what: 'a NUL', code: 'ERR_FCGI_BAD_TARGET', status: 400, request: GET.replace('/page', '/a%00'), detail: /./ },
  { what: 'a control', code: 'ERR_FCGI_BAD_TARGET', status: 400, request: GET.replace('/page', '/a%0a'), detail: /./ },
  {
    what: 'dots above the root',
    code: 'ERR_FCGI_BAD_TARGET',
    status: 400,
    request: GET.replace('/page', '/a/../../b'),
    detail: /./,
  },
  ...['Host', 'Content-Type', 'Authorization'].map(
    (name): Failure => ({
      what: `two ${name}`,
      code: 'ERR_FCGI_DUPLICATE_HEADER',
      status: 400,
      request: GET.replace('\r\n\r\n', `\r\n${name}: one\r\n${name}: two\r\n\r\n`),
      detail: new RegExp(name, 'i'),
    }),
  ),
  {
    what: 'a chunked body that must be streamed',
    code: 'ERR_FCGI_LENGTH_REQUIRED',
    status: 411,
    options: { requestBuffering: 'off' },
    request: post(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked').concat('1\r\nx\r\n0\r\n\r\n'),
    detail: /requestBuffering/,
  },
  {
    what: 'a body over the limit',
    code: 'ERR_FCGI_BODY_LIMIT',
    status: 413,
    options: { bodyLimit: 10 },
    request: post(11),
    detail: /bodyLimit|10/,
  },
  {
    what: 'a chunked body over the limit',
    code: 'ERR_FCGI_BODY_LIMIT',
    status: 413,
    options: { bodyLimit: 10 },
    request: post(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked').concat('b\r\n01234567890\r\n0\r\n\r\n'),
    detail: /bodyLimit|10/,
  },
  {
    what: 'a parameter that no record holds',
    code: 'ERR_FCGI_PARAMS_LIMIT',
    status: 431,
    options: { params: { BIG: 'x'.repeat(65_536) } },
    detail: /BIG/,
  },
  {
    what: 'parameters over 256 KiB',
    code: 'ERR_FCGI_PARAMS_LIMIT',
    status: 431,
    options: { params: Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`P${index}`, 'x'.repeat(60_000)])) },
    detail: /262144/,
  },
  {
    what: 'a parameter that cannot be computed',
    code: 'ERR_FCGI_PARAM_FUNCTION',
    status: 500,
    options: {
      params: {
        MINE: () => {
          throw new Error('/secret/path')
        },
      },
    },
    detail: /MINE/,
  },
  {
    what: 'a transfer coding other than chunked',
    code: 'ERR_FCGI_TRANSFER_CODING',
    status: 501,
    request: post(0).replace('Content-Length: 0', 'Transfer-Encoding: gzip, chunked').concat('1\r\nx\r\n0\r\n\r\n'),
    detail: /gzip/,
  },
  {
    what: 'no socket',
    code: 'ERR_FCGI_CONNECT',
    status: 502,
    address: join(directory.path, 'none'),
    options: { retries: 0 },
    detail: /start the backend/,
  },
  {
    what: 'a file instead of a socket',
    code: 'ERR_FCGI_CONNECT',
    status: 502,
    address: file,
    options: { retries: 0 },
    detail: /file/,
  },
  {
    what: 'nothing that listens',
    code: 'ERR_FCGI_CONNECT',
    status: 502,
    address: '127.0.0.1:1',
    options: { retries: 0 },
    detail: /Nothing listens/,
  },
  {
    what: 'a backend that closes at once',
    code: 'ERR_FCGI_RESET',
    status: 502,
    script: (r) => r.connection.close(),
    detail: /did the process die/,
  },
  {
    what: 'a backend that resets',
    code: 'ERR_FCGI_RESET',
    status: 502,
    script: (r) => r.connection.reset(),
    detail: /./,
  },
  {
    what: 'HTTP',
    code: 'ERR_FCGI_PROTOCOL',
    status: 502,
    script: (r) => r.send('HTTP/1.1 400 Bad Request\r\n\r\n'),
    detail: /HTTP\/1/,
  },
  {
    what: 'an unknown record',
    code: 'ERR_FCGI_PROTOCOL',
    status: 502,
    script: (r) => r.send(record({ type: 99 })),
    detail: /99/,
  },
  {
    what: 'a head that is none',
    code: 'ERR_FCGI_BAD_RESPONSE',
    status: 502,
    script: (r) => r.answer('<html>'),
    detail: /</,
  },
  {
    what: 'half an answer',
    code: 'ERR_FCGI_TRUNCATED',
    status: 502,
    script: (r) => r.answer('Content-Length: 10\r\n\r\nbody'),
    detail: /10/,
  },
  {
    what: 'an unknown role',
    code: 'ERR_FCGI_UNKNOWN_ROLE',
    status: 502,
    script: (r) => r.end({ protocolStatus: 3 }),
    detail: /./,
  },
  {
    what: 'an overloaded backend',
    code: 'ERR_FCGI_OVERLOADED',
    status: 503,
    script: (r) => r.end({ protocolStatus: 2 }),
    detail: /./,
  },
  {
    what: 'a full queue',
    code: 'ERR_FCGI_QUEUE_FULL',
    status: 503,
    script: silent,
    server: { maxConnections: 1 },
    options: { queueLimit: 0 },
    before: occupy,
    detail: /./,
  },
  {
    what: 'a queue that does not move',
    code: 'ERR_FCGI_QUEUE_TIMEOUT',
    status: 503,
    script: silent,
    server: { maxConnections: 1 },
    options: { queueTimeout: 50 },
    before: occupy,
    detail: /./,
  },
  {
    what: 'a gateway that shuts down',
    code: 'ERR_FCGI_CLOSED',
    status: 503,
    before: (site) => site.handler.close(),
    detail: /./,
  },
  {
    what: 'a backend that reads nothing',
    code: 'ERR_FCGI_SEND_TIMEOUT',
    status: 504,
    script: (r) => r.connection.pause(),
    options: { sendTimeout: 50 },
    request: post(8_000_000),
    detail: /sendTimeout|50/,
  },
  {
    what: 'a backend that says nothing',
    code: 'ERR_FCGI_READ_TIMEOUT',
    status: 504,
    script: silent,
    options: { readTimeout: 50 },
    detail: /readTimeout|50/,
  },
  {
    what: 'a backend that never ends',
    code: 'ERR_FCGI_TIMEOUT',
    status: 504,
    script: async (r) => {
      while (!r.connection.closed) {
        await r.send(record({ type: 7, content: 'still here\n' }))
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    options: { timeout: 80 },
    detail: /timeout|80/,
  },
]

async function fail(failure: Failure, next: boolean): Promise<{ readonly site: FakedSite; readonly raw: string }> {
  const { script = good, options = {}, address, server, request = GET, before } = failure
  const site = await fakedSite(script, options, {
    next,
    ...(address !== undefined && { address }),
    ...(server !== undefined && { server }),
  })
  try {
    await before?.(site)
    return { site, raw: await site.raw(request) }
  } finally {
    await site[Symbol.asyncDispose]()
  }
}

/** Nothing of what only the operator may know. */
function isDiscreet(text: string, address: string): void {
  for (const secret of [
    address,
    directory.path,
    '/app/x.php',
    '/secret/path',
    '    at ',
    '.ts',
    'node_modules',
    'node:',
  ]) {
    assert.ok(!text.includes(secret), `${secret} is in ${text}`)
  }
}

describe('a failed request', () => {
  for (const failure of FAILURES) {
    const { what, code, status } = failure
    it(`by ${what} calls next with ${code} and ${status}`, async () => {
      const { site, raw } = await fail(failure, true)
      assert.equal(site.errors.length, 1, raw)
      const [error] = site.errors
      assert.ok(error instanceof FastCgiError)
      assert.equal(error.code, code, error.detail)
      assert.equal(error.status, status)
      assert.equal(error.status, errorTable[code].status)
      assert.equal(error.expose, false)
      assert.equal(error.message, errorTable[code].message)
      assert.match(error.detail, failure.detail)
      isDiscreet(`${error.message}${error.stack}${JSON.stringify(error)}`, site.fake.address)
      assert.equal(statusOf(raw), status)
    })

    it(`by ${what} is a plain page of ${status} without next`, async () => {
      const { site, raw } = await fail(failure, false)
      assert.equal(statusOf(raw), status)
      assert.equal(bodyOf(raw), `${status} ${STATUS_CODES[status]}\n`)
      assert.match(fieldOf(raw, 'Content-Type')[0] ?? '', /^text\/plain/)
      assert.deepEqual(fieldOf(raw, 'Retry-After'), status === 503 ? ['1'] : [])
      isDiscreet(raw, site.fake.address)
    })

    if (code === 'ERR_FCGI_CLOSED') continue
    it(`by ${what} is told to the operator`, async () => {
      const { site } = await fail(failure, false)
      const line = site.log.find((text) => text.includes(code)) ?? site.log.join('\n')
      assert.match(line, new RegExp(code))
      assert.match(line, failure.detail)
      assert.match(line, /^(GET|POST) \//)
    })
  }

  it('by a backend that does not accept is a 504, over TCP and over a unix socket', async () => {
    for (const over of ['tcp', 'unix'] as const) {
      const full = await startFull({ over })
      await using site = await fakedSite(good, { connectTimeout: 100 }, { address: full.address, next: true })
      const raw = await site.get()
      await full.stop()
      assert.equal(statusOf(raw), 504)
      assert.equal(site.errors[0]?.code, 'ERR_FCGI_CONNECT_TIMEOUT')
      assert.match(site.errors[0]?.detail ?? '', /100 ms/)
    }
  })

  it('by an unknown expectation is a 417', async () => {
    await using site = await fakedSite(good)
    assert.equal(statusOf(await site.raw(GET.replace('\r\n\r\n', '\r\nExpect: a miracle\r\n\r\n'))), 417)
  })

  it('after the head was sent only ends the connection of the client', async () => {
    for (const next of [true, false]) {
      await using site = await fakedSite(
        async (request) => {
          await request.stdout('A: b\r\n\r\nbody')
          await client.contains('body')
          request.connection.close()
        },
        {},
        { next },
      )
      const client = site.client(GET)
      const raw = await client.end()
      assert.equal(statusOf(raw), 200)
      assert.equal(bodyOf(raw), null)
      assert.deepEqual(site.errors, [])
      assert.match(site.log.join('\n'), /ERR_FCGI_TRUNCATED/)
    }
  })

  it('of 404 or 500 by its script goes to next with the status of the script when interceptErrors is on', async () => {
    for (const status of [400, 404, 500, 503]) {
      await using site = await fakedSite(
        (request) => request.answer(`Status: ${status}\r\n\r\nthe page of the script`),
        { interceptErrors: true, keepAlive: true },
        { next: true },
      )
      const raw = await site.get()
      assert.equal(statusOf(raw), status)
      assert.doesNotMatch(raw, /the page of the script/)
      assert.equal(site.errors[0]?.code, 'ERR_FCGI_INTERCEPTED')
      assert.equal(site.errors[0]?.status, status)
      await site.get()
      assert.equal(site.fake.connections.count, 1)
    }
  })

  it('of 399 by its script is served with interceptErrors', async () => {
    await using site = await fakedSite((request) => request.answer('Status: 399\r\n\r\nbody'), {
      interceptErrors: true,
    })
    assert.equal(bodyOf(await site.get()), 'body')
  })

  it('leaves nothing behind: the next one is served', async () => {
    let turn = 0
    await using site = await fakedSite(
      (request) => {
        turn += 1
        if (turn % 2 === 0) return request.answer('A: b\r\n\r\nbody')
        return request.send(stdout('broken'), record({ type: 99 }))
      },
      { keepAlive: true },
      { server: { maxConnections: 1 } },
    )
    for (let pair = 0; pair < 5; pair += 1) {
      assert.equal(statusOf(await site.get()), 502)
      assert.equal(bodyOf(await site.get()), 'body')
    }
    const [server] = site.handler.status().servers
    assert.equal(server?.busy, 0)
    assert.equal(server?.waiting, 0)
  })

  it('after a body that was not read ends the connection of the client rather than take the rest for a request', async () => {
    await using site = await fakedSite(good, { bodyLimit: 10 })
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
    const client = site.client(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`)
    await client.contains('413')
    client.socket.end()
    await client.end()
    assert.equal(client.text.match(/HTTP\/1\.1/g)?.length, 1)
    assert.equal(site.received.length, 1)
  })

  it('of a backend that comes up is served, once it is there', async () => {
    const gone = await startFake(good)
    await gone.stop()
    await using site = await fakedSite(good, { retries: 0 }, { address: gone.address })
    assert.equal(statusOf(await site.get()), 502)
    assert.equal(statusOf(await site.get()), 502)
    assert.equal(splitHead(await site.get())[0].split('\r\n')[0], 'HTTP/1.1 502 Bad Gateway')
  })
})

/** Nobody listens on it: the row of the table that says so stands on it. */
it('has a machine without a server on port 1', async () => {
  const socket = connect(1, '127.0.0.1')
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
  assert.equal(error.code, 'ECONNREFUSED')
})
