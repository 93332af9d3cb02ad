import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FastCgiHandler } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Breakable, Held, type ManySite, manySite } from '../support/many-site.ts'
import { fieldOf, rawClient, statusOf } from '../support/responder-site.ts'

/** How each backend fails while it is broken. */
const WAYS: readonly { readonly what: string; readonly break: (backend: Breakable) => Promise<void> | void }[] = [
  { what: 'refuses', break: (backend) => backend.goAway() },
  {
    what: 'never answers',
    break: (backend) => {
      backend.script = () => undefined
    },
  },
  {
    what: 'closes at once',
    break: (backend) => {
      backend.script = (request) => request.connection.close()
    },
  },
  {
    what: 'talks garbage',
    break: (backend) => {
      backend.script = (request) => request.send('HTTP/1.1 400 Bad Request\r\n\r\n')
    },
  },
]

async function mend(backend: Breakable, what: string): Promise<void> {
  if (what === 'refuses') return backend.comeBack()
  backend.script = (request) => request.answer(`Content-Type: text/plain\r\n\r\n${backend.name}`)
}

function stateOf(handler: FastCgiHandler, server: string): string | undefined {
  return handler.status().servers.find((status) => status.server === server)?.state
}

function first({ backends }: ManySite): Breakable {
  const [one] = backends
  return one ?? assert.fail('there is no backend')
}

describe('a backend that', { timeout: 60_000 }, () => {
  for (const { what, break: breakIt } of WAYS) {
    for (const method of ['GET', 'POST']) {
      it(`${what} hurts no more than maxFails of the requests that would go to it (${method})`, async () => {
        const servers = [{ failTimeout: '1h', maxFails: 2 }, {}]
        await using site = await manySite({ servers, balance: 'fill', readTimeout: 500 })
        await breakIt(first(site))
        const answers = []
        for (let turn = 0; turn < 8; turn += 1) answers.push(await site.ask(`/${turn}`, method))
        assert.equal(stateOf(site.handler, 'a'), 'down')
        assert.ok(answers.filter(({ status }) => status !== 200).length <= 2)
        assert.deepEqual(
          answers.slice(2).map(({ from }) => from),
          Array(6).fill('b'),
        )
        assert.ok(first(site).fake.requests.length <= 2)
        assert.ok(first(site).fake.connections.count <= 2, 'a server that is down costs no connect')
        assert.match(site.log.join('\n'), /a \(.*\) is down, and left alone for 3600000 ms: ERR_FCGI_/)
        if (what === 'refuses') assert.ok(answers.every(({ status }) => status === 200))
      })

      it(`${what} is back within failTimeout of its recovery (${method})`, async () => {
        const servers = [{ failTimeout: 50, maxFails: 1 }, {}]
        await using site = await manySite({ servers, balance: 'fill', readTimeout: 200, retries: 0 })
        await breakIt(first(site))
        await site.ask('/', method)
        assert.notEqual(stateOf(site.handler, 'a'), 'up')
        await mend(first(site), what)
        await eventually('it serves again', async () => (await site.ask('/', method)).from === 'a')
        assert.equal(stateOf(site.handler, 'a'), 'up')
        assert.match(site.log.join('\n'), /a \(.*\) is up again after \d+ ms/)
        assert.equal((await site.ask('/', method)).from, 'a')
      })

      it(`${what} alone is tried by one request at a time, and is back with the first answer (${method})`, async () => {
        const servers = [{ failTimeout: '1h', maxFails: 2 }]
        await using site = await manySite({ servers, readTimeout: 500, retries: 0 })
        await breakIt(first(site))
        for (let turn = 0; turn < 3; turn += 1) assert.ok((await site.ask(`/${turn}`, method)).status >= 502)
        assert.equal(stateOf(site.handler, 'a'), 'down')
        await mend(first(site), what)
        assert.equal((await site.ask('/', method)).from, 'a')
        assert.equal(stateOf(site.handler, 'a'), 'up')
      })
    }

    it(`${what} never makes a POST run twice`, async () => {
      const servers = [
        { maxFails: 3, failTimeout: 20 },
        { maxFails: 3, failTimeout: 20 },
      ]
      await using site = await manySite({
        servers,
        balance: 'round-robin',
        readTimeout: 30,
        retries: 3,
        keepAlive: true,
      })
      const urls = Array.from({ length: 40 }, (_, index) => `/${index}`)
      for (const url of urls.slice(0, 10)) await site.ask(url, 'POST')
      await breakIt(first(site))
      const answers = await Promise.all(urls.slice(10).map((url) => site.ask(url, 'POST')))
      assert.ok(answers.some(({ from }) => from === 'b'))
      for (const url of urls) {
        const runs = site.backends.reduce((sum, backend) => sum + backend.count(url), 0)
        assert.ok(runs <= 1, `${url} was sent ${runs} times`)
      }
    })
  }
})

describe('a single server', { timeout: 60_000 }, () => {
  it('that is down is tried by one request, the others get 503 and Retry-After at once', async () => {
    await using site = await manySite({ servers: [{ maxFails: 1, failTimeout: '1h' }], retries: 0 })
    const one = first(site)
    one.script = (request) => request.connection.close()
    assert.equal((await site.ask('/')).status, 502)
    const held = new Held()
    one.script = held.script((request) => request.answer('A: b\r\n\r\na'))
    const trying = site.ask('/probe')
    await eventually('one request tries it', () => held.length === 1)
    assert.equal(stateOf(site.handler, 'a'), 'probing')
    const others = await Promise.all([site.ask('/1'), site.ask('/2'), site.ask('/3', 'POST')])
    for (const { status, raw } of others) {
      assert.equal(status, 503)
      assert.match(fieldOf(raw, 'Retry-After')[0] ?? '', /^\d+$/)
    }
    assert.equal(held.length, 1)
    assert.match(site.log.join('\n'), /503 ERR_FCGI_DOWN: No server of location_0 is up: a \(.*ERR_FCGI_RESET/)
    held.letGo()
    assert.equal((await trying).from, 'a')
    one.script = (request) => request.answer('A: b\r\n\r\na')
    assert.equal((await site.ask('/')).from, 'a')
  })

  it('that is down sends those who wait away at once', async () => {
    await using site = await manySite({ servers: [{ maxFails: 1, failTimeout: '1h', maxConnections: 1 }] })
    const one = first(site)
    one.script = () => undefined
    const serving = site.ask('/')
    await one.fake.request(1)
    const waiting = [site.ask('/1'), site.ask('/2', 'POST')]
    await eventually('two wait', () => site.handler.status().locations[0]?.waiting === 2)
    assert.equal(site.handler.status().servers[0]?.waiting, 2)
    one.fake.requests[0]?.connection.close()
    assert.equal((await serving).status, 502)
    for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 503)
    assert.equal(one.fake.requests.length, 1)
  })

  it('whose probe is left by its client is tried by the next request', async () => {
    await using site = await manySite({ servers: [{ maxFails: 1, failTimeout: '1h' }], retries: 0 })
    const one = first(site)
    one.script = (request) => request.connection.close()
    await site.ask('/')
    one.script = () => undefined
    const leaving = rawClient(site.port, 'GET /probe HTTP/1.1\r\nHost: x\r\n\r\n')
    await one.fake.request(2)
    leaving.socket.destroy()
    await eventually('the probe is given up', () => stateOf(site.handler, 'a') === 'down')
    one.script = (request) => request.answer('A: b\r\n\r\na')
    assert.equal((await site.ask('/')).from, 'a')
  })

  it('is back with the first byte of a long answer', async () => {
    await using site = await manySite({ servers: [{ maxFails: 1, failTimeout: '1h' }], retries: 0 })
    const one = first(site)
    one.script = (request) => request.connection.close()
    await site.ask('/')
    one.script = (request) => request.stdout('Content-Type: text/event-stream\r\n\r\nfirst')
    const stream = rawClient(site.port, 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
    await stream.contains('first')
    assert.equal(stateOf(site.handler, 'a'), 'up')
    one.script = (request) => request.answer('A: b\r\n\r\na')
    assert.equal((await site.ask('/')).from, 'a')
    stream.socket.destroy()
  })

  it('is not taken down by what a script writes, nor by clients that leave', async () => {
    await using site = await manySite({ servers: [{ maxFails: 1 }], retries: 0 })
    const one = first(site)
    for (const stdout of ['no head at all', 'Status: 99\r\n\r\n', 'Content-Length: 10\r\n\r\nshort']) {
      one.script = (request) => request.answer(stdout)
      assert.equal((await site.ask('/')).status, 502)
    }
    one.script = (request) => request.end({ protocolStatus: 2 })
    assert.equal((await site.ask('/')).status, 503)
    one.script = () => undefined
    const leaving = rawClient(site.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await one.fake.request(5)
    leaving.socket.destroy()
    await eventually('its request is gone', () => site.handler.status().servers[0]?.busy === 0)
    assert.equal(stateOf(site.handler, 'a'), 'up')
    assert.equal(site.handler.status().servers[0]?.failures, 4)
  })
})

describe('the balance', { timeout: 60_000 }, () => {
  const three = [{}, {}, {}]

  /** So many requests at the same time, each held until all are there: how many each backend had. */
  async function together(site: ManySite, count: number): Promise<number[]> {
    const held = new Held()
    for (const backend of site.backends) backend.script = held.script((request) => request.answer('A: b\r\n\r\n'))
    const answers = Array.from({ length: count }, (_, index) => site.ask(`/${index}`))
    await eventually('all are there', () => held.length === count)
    const counts = site.backends.map(({ fake }) => fake.requests.length)
    held.letAllGo()
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200)
    return counts
  }

  async function inTurn(site: ManySite, count: number): Promise<(string | null)[]> {
    const from = []
    for (let turn = 0; turn < count; turn += 1) from.push((await site.ask(`/${turn}`)).from)
    return from
  }

  it('fill: the first that is free, in the order of the file', async () => {
    await using site = await manySite({ servers: [{ maxConnections: 3 }, { maxConnections: 2 }, {}], balance: 'fill' })
    assert.deepEqual(await inTurn(site, 4), ['a', 'a', 'a', 'a'])
    const counts = await together(site, 6)
    assert.deepEqual(counts, [4 + 3, 2, 1])
  })

  it('round-robin: in turns, by weight', async () => {
    await using site = await manySite({ servers: [{ weight: 3 }, { weight: 1 }], balance: 'round-robin' })
    assert.deepEqual((await inTurn(site, 8)).filter((from) => from === 'a').length, 6)
  })

  it('least-connections, the default: where the least is under way', async () => {
    await using site = await manySite({ servers: three })
    assert.equal(site.handler.status().locations[0]?.balance, 'least-connections')
    assert.deepEqual(await together(site, 9), [3, 3, 3])
  })

  it('random: everywhere', async () => {
    await using site = await manySite({ servers: three, balance: 'random' })
    assert.deepEqual(new Set(await inTurn(site, 100)), new Set(['a', 'b', 'c']))
  })

  it('ip-hash: each client has its backend, and only those of one that is down go elsewhere', async () => {
    const servers = three.map(() => ({ maxFails: 1, failTimeout: '1h' }))
    await using site = await manySite({ servers, balance: 'ip-hash' })
    const clients = Array.from({ length: 30 }, (_, index) => `203.0.113.${index}`)
    const homes = async (): Promise<(string | null)[]> =>
      Promise.all(clients.map(async (client) => (await site.ask('/', 'GET', client)).from))
    const before = await homes()
    assert.deepEqual(new Set(before), new Set(['a', 'b', 'c']))
    assert.deepEqual(await homes(), before)
    await first(site).goAway()
    await homes()
    const after = await homes()
    for (const [index, home] of before.entries()) {
      if (home === 'a') assert.ok(after[index] === 'b' || after[index] === 'c')
      else assert.equal(after[index], home)
    }
  })

  it('leaves backups alone while another is up', async () => {
    const servers = [{ maxFails: 1, failTimeout: 30 }, { backup: true }]
    await using site = await manySite({ servers })
    assert.deepEqual(await inTurn(site, 5), ['a', 'a', 'a', 'a', 'a'])
    await first(site).goAway()
    assert.deepEqual(await inTurn(site, 5), ['b', 'b', 'b', 'b', 'b'])
    await first(site).comeBack()
    await eventually('the primary serves', async () => (await site.ask('/')).from === 'a')
    assert.deepEqual(await inTurn(site, 3), ['a', 'a', 'a'])
  })
})

describe('a full location', { timeout: 60_000 }, () => {
  it('serves clients in turns, whoever has asked more', async () => {
    await using site = await manySite({ servers: [{ maxConnections: 1 }] })
    const held = new Held()
    const order: (string | undefined)[] = []
    first(site).script = held.script((request) => {
      order.push(request.params.get('REMOTE_ADDR'))
      return request.answer('A: b\r\n\r\n')
    })
    const busy = site.ask('/', 'GET', '192.0.2.1')
    await eventually('one is served', () => held.length === 1)
    const answers = [busy]
    for (let count = 1; count <= 5; count += 1) {
      answers.push(site.ask('/', 'GET', '192.0.2.1'))
      await eventually('it waits', () => site.handler.status().servers[0]?.waiting === count)
    }
    answers.push(site.ask('/', 'GET', '192.0.2.2'))
    await eventually('all wait', () => site.handler.status().servers[0]?.waiting === 6)
    for (let count = 0; count < 7; count += 1) {
      await eventually('the next one is there', () => held.length === 1)
      held.letGo()
    }
    await Promise.all(answers)
    assert.equal(order.indexOf('192.0.2.2'), 2)
  })

  it('admits to whichever server frees a place', async () => {
    await using site = await manySite({ servers: [{ maxConnections: 1 }, { maxConnections: 1 }], keepAlive: true })
    const [holdA, holdB] = [new Held(), new Held()]
    const [a, b] = site.backends
    if (a === undefined || b === undefined) return assert.fail()
    a.script = holdA.script((request) => request.answer('A: b\r\n\r\na'))
    b.script = holdB.script((request) => request.answer('A: b\r\n\r\nb'))
    const busy = [site.ask('/1'), site.ask('/2')]
    await eventually('both are served', () => holdA.length + holdB.length === 2)
    const waiting = site.ask('/3')
    await eventually('one waits', () => site.handler.status().locations[0]?.waiting === 1)
    holdB.letGo()
    await b.fake.request(2)
    holdB.letGo()
    assert.equal((await waiting).from, 'b')
    holdA.letGo()
    for (const { status } of await Promise.all(busy)) assert.equal(status, 200)
    assert.deepEqual([a.fake.connections.peak, b.fake.connections.peak], [1, 1])
  })

  it('loses nobody by those who leave', async () => {
    await using site = await manySite({ servers: [{ maxConnections: 1 }] })
    const held = new Held()
    first(site).script = held.script((request) => request.answer('A: b\r\n\r\na'))
    const busy = site.ask('/')
    await eventually('one is served', () => held.length === 1)
    const leaving = [1, 2, 3].map((n) => rawClient(site.port, `GET /left/${n} HTTP/1.1\r\nHost: x\r\n\r\n`))
    const staying = site.ask('/stays')
    await eventually('four wait', () => site.handler.status().locations[0]?.waiting === 4)
    for (const { socket } of leaving) socket.destroy()
    await eventually('one waits', () => site.handler.status().locations[0]?.waiting === 1)
    held.letGo()
    await eventually('it is served', () => held.length === 1)
    held.letGo()
    assert.deepEqual([(await busy).from, (await staying).from], ['a', 'a'])
    assert.equal(first(site).fake.requests.length, 2)
    assert.equal(statusOf((await busy).raw), 200)
  })
})
