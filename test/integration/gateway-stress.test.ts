import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastCgiOptions } from '../../lib/index.ts'
import { FCGI_OVERLOADED } from '../../lib/protocol/constants.ts'
import { eventually } from '../support/eventually.ts'
import { Held, type ManySite, manySite } from '../support/many-site.ts'
import { staysQuiet } from '../support/quiet-process.ts'
import { type FakeRequest, stdout } from '../support/responder.ts'
import { bodyOf, statusOf } from '../support/responder-site.ts'

/** Whole numbers from 0 on, below a bound; the same for the same seed (mulberry32). */
type Draw = (below: number) => number

function drawFrom(seed: number): Draw {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    const mixed = Math.imul(state ^ (state >>> 15), state | 1)
    const more = mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61))
    return ((more ^ (more >>> 14)) >>> 0) % below
  }
}

const HEAD = 'Content-Type: text/plain\r\n\r\n'

/** What a backend may do with a request, besides answering it. */
const MISDEEDS: readonly ((request: FakeRequest) => void | Promise<void>)[] = [
  (request) => request.connection.close(),
  (request) => request.connection.reset(),
  (request) => request.send('HTTP/1.1 400 Bad Request\r\n\r\n'),
  (request) => request.end({ protocolStatus: FCGI_OVERLOADED }),
  (request) => request.gone(),
  (request) => request.answer('no head at all'),
  async (request) => {
    await request.send(stdout(`${HEAD}hal`, { requestId: request.id }))
    request.connection.close()
  },
  async (request) => {
    await request.answer(`${HEAD}${request.params.get('REQUEST_URI')}`)
    request.connection.close()
  },
  async (request) => {
    await request.send(stdout(HEAD, { requestId: request.id }), stdout('never all', { requestId: request.id }))
    await request.gone()
  },
]

/** The backends of a site at random. */
interface Backends {
  /** URLs of POST requests whose script ran. */
  readonly posts: string[]
  /** Answers everything well from now on. */
  behave(): void
}

function misbehave(site: ManySite, draw: Draw): Backends {
  const posts: string[] = []
  for (const backend of site.backends) {
    backend.script = async (request) => {
      const url = request.params.get('REQUEST_URI') ?? ''
      const misdeed = MISDEEDS[draw(24)]
      if (request.params.get('REQUEST_METHOD') === 'POST' && misdeed !== MISDEEDS[3]) posts.push(url)
      if (draw(2) === 0) await wait(draw(20))
      await (misdeed === undefined ? request.answer(`${HEAD}${url}`) : misdeed(request))
    }
  }
  return {
    posts,
    behave: () => {
      for (const one of site.backends) one.script = (request) => request.answer(`${HEAD}${one.name}`)
    },
  }
}

/** One request of a client that may leave; its status, 0 where there was no whole answer. */
function request(port: number, url: string, draw: Draw): Promise<number> {
  const post = draw(3) === 0 ? 'POST' : 'GET'
  const body = post === 'POST' ? 'body' : ''
  const patience = draw(5) === 0 ? draw(60) : null
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
    })
    socket.on('error', () => socket.destroy())
    const timer = patience === null ? null : setTimeout(() => socket.destroy(), patience)
    socket.on('close', () => {
      if (timer !== null) clearTimeout(timer)
      const answer = bodyOf(received)
      if (statusOf(received) === 200 && answer !== null) assert.equal(answer, url)
      resolve(answer === null ? 0 : statusOf(received))
    })
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
    const client = `X-Forwarded-For: 192.0.2.${draw(5)}\r\n`
    socket.write(`${post} ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${client}${length}\r\n${body}`)
  })
}

const BALANCES = ['fill', 'round-robin', 'least-connections', 'random', 'ip-hash'] as const

/** Some of the servers, in some order, with other numbers; at least one of them is no backup. */
function anyConfiguration(site: ManySite, draw: Draw): FastCgiOptions {
  const all = [...site.backends].sort(() => draw(3) - 1).slice(draw(2))
  return {
    ...site.options,
    balance: BALANCES[draw(BALANCES.length)] ?? 'fill',
    retries: draw(4),
    keepAlive: draw(4) > 0,
    servers: all.map(({ options }, index) => ({
      ...options,
      maxConnections: 1 + draw(4),
      weight: 1 + draw(3),
      backup: index > 0 && draw(4) === 0,
      maxFails: draw(4),
      ...(draw(3) === 0 && { healthCheck: { ping: '/ping', interval: 20 + draw(50), timeout: 30 } }),
      // Another one is another server.
      ...(draw(6) === 0 && { name: `${options.name}${draw(3)}` }),
    })),
  }
}

/** Breaks and mends, and loads other configurations, until told to stop. */
async function disturb(site: ManySite, draw: Draw, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await wait(5 + draw(30))
    const backend = site.backends[draw(site.backends.length)]
    if (draw(3) === 0) site.handler.reload(anyConfiguration(site, draw))
    else if (draw(2) === 0 && backend !== undefined) {
      await backend.goAway()
      await wait(draw(100))
      await backend.comeBack()
    }
    site.handler.status()
  }
}

async function ask(site: ManySite, draw: Draw, requests: number): Promise<number[]> {
  const statuses: number[] = []
  let next = 0
  const clients = Array.from({ length: 24 }, async () => {
    while (next < requests) {
      next += 1
      statuses.push(await request(site.port, `/${next}`, draw))
    }
  })
  await Promise.all(clients)
  return statuses
}

function assertNothingIsLeft(site: ManySite): void {
  for (const { busy, waiting, open, idle, state } of site.handler.status().servers) {
    assert.deepEqual({ busy, waiting, notIdle: open - idle, state }, { busy: 0, waiting: 0, notIdle: 0, state: 'up' })
  }
}

/** As many requests are under way as there are places, and one more waits. */
async function assertFullCapacity(site: ManySite): Promise<void> {
  const held = new Held()
  for (const one of site.backends) one.script = held.script((request) => request.answer(`${HEAD}${one.name}`))
  const answers = Array.from({ length: 7 }, (_, index) => site.ask(`/held${index}`))
  const waiting = (): number | undefined => site.handler.status().locations[0]?.waiting
  await eventually('all places are taken', () => held.length === 6 && waiting() === 1)
  assert.deepEqual(
    site.handler.status().servers.map(({ busy }) => busy),
    [1, 2, 3],
  )
  held.letGo()
  await eventually('the one that waited has the place', () => held.length === 6 && waiting() === 0)
  held.letAllGo()
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200)
}

describe('A gateway whose backends misbehave, whose clients leave and whose configuration changes', () => {
  staysQuiet()

  for (const seed of [20_260, Math.floor(Math.random() * 1e9)]) {
    it(`settles every request and loses no place (seed ${seed})`, { timeout: 60_000 }, async (test) => {
      const draw = drawFrom(seed)
      await using site = await manySite({
        servers: [{ maxConnections: 1 }, { maxConnections: 2 }, { maxConnections: 3 }].map((one) => ({
          ...one,
          maxFails: 2,
          failTimeout: '50ms',
        })),
        balance: 'fill',
        keepAlive: true,
        retries: 2,
        connectTimeout: '200ms',
        readTimeout: '100ms',
        queueTimeout: '5s',
        queueLimit: 16,
      })
      const backends = misbehave(site, draw)
      let isOver = false
      const disturbance = disturb(site, draw, () => isOver)
      const statuses = await ask(site, draw, 700)
      isOver = true
      await disturbance
      const share = (wanted: number): number => statuses.filter((status) => status === wanted).length
      test.diagnostic([0, 200, 502, 503, 504].map((status) => `${status}: ${share(status)}`).join(', '))
      assert.deepEqual(
        statuses.filter((status) => ![0, 200, 502, 503, 504].includes(status)),
        [],
      )
      assert.deepEqual(
        backends.posts.filter((url, index) => backends.posts.indexOf(url) !== index),
        [],
        'no POST runs twice',
      )
      backends.behave()
      site.handler.reload(site.options)
      await eventually('all are up and only those that are configured are left', async () => {
        await Promise.all([site.ask('/'), site.ask('/'), site.ask('/')])
        const { servers } = site.handler.status()
        return servers.length === 3 && servers.every(({ state }) => state === 'up')
      })
      await eventually('nothing is under way', () => site.handler.status().servers.every(({ busy }) => busy === 0))
      assertNothingIsLeft(site)
      await assertFullCapacity(site)
      await site.handler.close()
      await eventually('every connection is closed', () =>
        site.backends.every(({ fake }) => fake.connections.open === 0),
      )
      for (const { fake } of site.backends) assert.deepEqual(fake.failures, [])
    })
  }
})
