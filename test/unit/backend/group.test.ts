import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { fixedAllowance } from '../../../lib/backend/allowance.ts'
import type { Backend } from '../../../lib/backend/backend.ts'
import type { Balance } from '../../../lib/backend/balance.ts'
import type { BackendGroup, TakenPlace } from '../../../lib/backend/group.ts'
import type { Server, ServerOptions } from '../../../lib/backend/server.ts'
import { channels } from '../../../lib/diagnostics.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { groupOf, lookupOf, only, place, placeAtTurn, serverFor, serverOptions } from '../../support/backends.ts'
import { staysQuiet } from '../../support/quiet-process.ts'

const REFUSED = new FastCgiError('ERR_FCGI_CONNECT', { detail: 'Nothing listens' })
const NONE: readonly Backend[] = []

/** Servers called a, b, c… and their group, on a clock of the test. */
interface Scene {
  readonly servers: readonly Server[]
  readonly backends: readonly Backend[]
  readonly group: BackendGroup
  pass(milliseconds: number): void
}

function scene(options: readonly Partial<ServerOptions>[], balance: Balance = 'fill'): Scene {
  let clock = 0
  const servers = options.map((one, index) => {
    const name = String.fromCharCode(97 + index)
    const given = { name, maxConnections: 1, maxFails: 1, failTimeout: 1000, ...one }
    return serverFor(`127.0.0.1:${index + 1}`, given, { now: () => clock })
  })
  return {
    servers,
    backends: servers.map(only),
    group: groupOf(servers, balance),
    pass: (milliseconds) => {
      clock += milliseconds
    },
  }
}

function take(group: BackendGroup, tried: readonly Backend[] = NONE, client = 'c'): TakenPlace | null {
  return group.take({ client, tried })
}

function nameOf(taken: TakenPlace | null): string | null {
  return taken?.backend.name ?? null
}

/** What an attempt on it does to its health. */
function fail(backend: Backend | undefined, generation: number = backend?.health.generation ?? 0): void {
  backend?.noteFailure({ error: REFUSED, answered: false, ended: false, kept: false }, generation)
}

function answer({ backend, generation }: TakenPlace): void {
  backend.noteAnswer(1, generation)
  backend.pool.leave()
}

function downError(group: BackendGroup): FastCgiError {
  try {
    take(group)
  } catch (error) {
    assert.ok(error instanceof FastCgiError)
    return error
  }
  return assert.fail('nothing was thrown')
}

describe('BackendGroup.take', () => {
  staysQuiet()

  it('chooses as its location says, and only what is free', () => {
    const { group } = scene([{ maxConnections: 2 }, {}])
    assert.deepEqual([take(group), take(group), take(group), take(group)].map(nameOf), ['a', 'a', 'b', null])
  })

  it('never chooses one that is full where another is free, however the balance would', () => {
    for (const balance of ['fill', 'round-robin', 'least-connections', 'random'] as const) {
      const { group } = scene([{ weight: 100 }, {}, {}], balance)
      const names = [take(group), take(group), take(group)].map(nameOf)
      assert.deepEqual(names.toSorted(), ['a', 'b', 'c'], balance)
      assert.equal(take(group), null)
    }
  })

  it('binds a client to its backend with ip-hash, though another is free', () => {
    const { group } = scene([{}, {}, {}], 'ip-hash')
    const bound = nameOf(take(group, NONE, '192.0.2.7'))
    assert.equal(take(group, NONE, '192.0.2.7'), null)
    const clients = Array.from({ length: 50 }, (_, index) => `192.0.2.${index}`)
    const others = clients.map((client) => nameOf(take(group, NONE, client))).filter((name) => name !== null)
    assert.equal(new Set([bound, ...others]).size, 3)
  })

  it('prefers for another attempt what was not tried, in reserve too, and else takes the same again', () => {
    const { group, backends } = scene([
      { maxConnections: 4 },
      { maxConnections: 4 },
      { maxConnections: 4, backup: true },
    ])
    const [a, b, c] = backends as [Backend, Backend, Backend]
    assert.equal(nameOf(take(group, [a])), 'b')
    assert.equal(nameOf(take(group, [a, b])), 'c')
    assert.equal(nameOf(take(group, [a, b, c])), 'a')
    assert.deepEqual([group.hasOther([a]), group.hasOther([a, b]), group.hasOther([a, b, c])], [true, true, false])
  })

  it('leaves backups in reserve wherever they stand in the file', () => {
    const { group } = scene([{ backup: true }, {}])
    assert.deepEqual([take(group), take(group)].map(nameOf), ['b', null])
  })

  it('leaves what is down alone, and then serves from the reserve', () => {
    const { group, backends } = scene([{}, { maxConnections: 9 }, { maxConnections: 9, backup: true }])
    const [a, b] = backends
    fail(a)
    assert.deepEqual([take(group), take(group)].map(nameOf), ['b', 'b'])
    fail(b)
    assert.deepEqual([take(group), take(group)].map(nameOf), ['c', 'c'])
  })

  it('gives back to primaries what a backup has served, as soon as one is up', () => {
    const { group, backends, pass } = scene([{ maxConnections: 9 }, { maxConnections: 9, backup: true }])
    fail(backends[0])
    assert.equal(nameOf(take(group)), 'b')
    pass(1000)
    const probe = take(group)
    assert.deepEqual([nameOf(probe), probe?.probe], ['a', true])
    assert.equal(nameOf(take(group)), 'b', 'one probe at once')
    if (probe !== null) answer(probe)
    assert.equal(nameOf(take(group)), 'a')
  })

  it('lets one request find out whether one that was down is back, each failTimeout', () => {
    const { group, backends, pass } = scene([{ maxConnections: 9 }, { maxConnections: 9 }])
    const [a] = backends
    fail(a)
    pass(999)
    assert.equal(nameOf(take(group)), 'b')
    pass(1)
    const probe = take(group)
    assert.deepEqual([nameOf(probe), probe?.probe], ['a', true])
    assert.equal(nameOf(take(group)), 'b')
    fail(a, probe?.generation)
    assert.equal(nameOf(take(group)), 'b')
    pass(1000)
    assert.equal(nameOf(take(group)), 'a')
  })

  it('does not risk a second attempt on what has failed the first, nor wait for a place on it', () => {
    const { group, backends, pass } = scene([{}, { maxConnections: 9 }])
    const [a] = backends as [Backend]
    fail(a)
    pass(1000)
    assert.equal(nameOf(take(group, [a])), 'b')
    a.pool.take()
    assert.equal(nameOf(take(group)), 'b', 'no place for a probe')
  })

  it('does not probe a backup while a primary is up', () => {
    const { group, backends, pass } = scene([{ maxConnections: 9 }, { backup: true }])
    fail(backends[1])
    pass(5000)
    assert.deepEqual([take(group), take(group)].map(nameOf), ['a', 'a'])
  })

  it('is a circuit breaker where none is up: one request tries each at a time, the others fail at once', () => {
    const { group, backends, pass } = scene([{ maxConnections: 9 }])
    const [a] = backends
    fail(a)
    pass(300)
    const probe = take(group)
    assert.deepEqual([nameOf(probe), probe?.probe], ['a', true])
    const error = downError(group)
    assert.deepEqual([error.code, error.status], ['ERR_FCGI_DOWN', 503])
    fail(a, probe?.generation)
    assert.equal(take(group)?.probe, true)
  })

  it('says who is down, why, since when, and when the next try is', () => {
    const { group, backends, pass } = scene([{ failTimeout: 8000 }, { failTimeout: 4500 }])
    fail(backends[0])
    fail(backends[1])
    pass(2000)
    for (const { health } of backends) health.claimProbe(true)
    pass(1000)
    const error = downError(group)
    assert.equal(
      error.detail,
      'No server of app is up: ' +
        'a (127.0.0.1:1) has been down for 3.0 s and is tried again in 7.0 s: ERR_FCGI_CONNECT: Nothing listens; ' +
        'b (127.0.0.1:2) has been down for 3.0 s and is tried again in 3.5 s: ERR_FCGI_CONNECT: Nothing listens',
    )
    assert.deepEqual(error.headers, { 'Retry-After': '4' })
    assert.equal(error.cause, REFUSED)
    assert.doesNotMatch(error.message, /127/)
  })

  it('tries last what has failed for this request already', () => {
    const { group, backends, pass } = scene([{}, {}])
    const [a, b] = backends as [Backend, Backend]
    fail(a)
    pass(10)
    fail(b)
    assert.equal(nameOf(take(group, [a])), 'b')
    assert.equal(nameOf(take(group)), 'a', 'else the one that has been down for longest')
  })

  it('never takes down what has maxFails 0', () => {
    const { group, backends } = scene([{ maxFails: 0, maxConnections: 99 }])
    for (let count = 0; count < 50; count += 1) fail(backends[0])
    assert.deepEqual([nameOf(take(group)), take(group)?.probe], ['a', false])
  })
})

describe('A group in a worker that was left no connection', () => {
  it('asks for one to find out whether its backend is back', async () => {
    let limit = 1
    let wants = 0
    const allowance = {
      ...fixedAllowance(0),
      get limit(): number {
        return limit
      },
      want: () => {
        wants += 1
      },
    }
    const server = serverFor('127.0.0.1:1', { maxFails: 1 }, { createAllowance: () => allowance })
    const group = groupOf([server])
    const { backend } = await place(group)
    fail(backend)
    backend.pool.leave()
    limit = 0
    assert.throws(() => take(group), { code: 'ERR_FCGI_DOWN' })
    assert.ok(wants > 0)
    limit = 1
    assert.deepEqual([take(group)?.probe, backend.health.state], [true, 'probing'])
  })
})

describe('BackendGroup.wait', { timeout: 30_000 }, () => {
  staysQuiet()

  it('admits to whichever backend frees a place first', async () => {
    const { group, backends } = scene([{}, {}], 'least-connections')
    await place(group)
    await place(group)
    const waiting = [place(group), place(group)]
    assert.equal(group.waiting, 2)
    backends[1]?.pool.leave()
    assert.equal(nameOf((await waiting[0]) ?? null), 'b')
    backends[0]?.pool.leave()
    assert.equal(nameOf((await waiting[1]) ?? null), 'a')
    assert.deepEqual(
      backends.map(({ busy }) => busy),
      [1, 1],
    )
  })

  it('hands a place over, so that nobody comes in between', async () => {
    const { group, backends } = scene([{}])
    await place(group)
    const waiting = place(group)
    backends[0]?.pool.leave()
    assert.equal(take(group), null)
    await waiting
  })

  it('is fair between clients', async () => {
    const { group, backends } = scene([{}])
    await place(group)
    const order: string[] = []
    const wait = (client: string): Promise<unknown> => place(group, { client }).then(() => order.push(client))
    const all = [...Array.from({ length: 5 }, () => wait('greedy')), wait('modest'), wait('shy')]
    for (let count = 0; count < 7; count += 1) backends[0]?.pool.leave()
    await Promise.all(all)
    assert.deepEqual(order.slice(0, 3), ['greedy', 'modest', 'shy'])
  })

  it('admits with ip-hash to nothing but the bound backend', async () => {
    const { group, backends } = scene([{}, {}, {}], 'ip-hash')
    const bound = (await place(group, { client: '192.0.2.7' })).backend
    const others = backends.filter((backend) => backend !== bound)
    for (const other of others) other.pool.take()
    const waiting = place(group, { client: '192.0.2.7' })
    for (const other of others) other.pool.leave()
    assert.deepEqual([group.waiting, others.map(({ busy }) => busy)], [1, [0, 0]])
    assert.deepEqual([group.waitingFor(bound), ...others.map((other) => group.waitingFor(other))], [1, 0, 0])
    bound.pool.leave()
    assert.equal((await waiting).backend, bound)
  })

  it('admits those who were bound to a backend that goes down to their second', async () => {
    const { group } = scene([{}, {}], 'ip-hash')
    const bound = await place(group, { client: '192.0.2.7' })
    const waiting = place(group, { client: '192.0.2.7' })
    fail(bound.backend)
    assert.notEqual((await waiting).backend, bound.backend)
  })

  it('asks once and not for each backend to which one a waiting client is bound, until something changes', async (t) => {
    const { group, backends } = scene([{}, {}, {}, {}], 'ip-hash')
    for (const backend of backends) backend.pool.take()
    const leaving = new AbortController()
    const clients = ['192.0.2.7', '192.0.2.8', '192.0.2.9']
    const all = clients.map((client) => place(group, { client, signal: leaving.signal }))
    const counts = (): number[] => backends.map((backend) => group.waitingFor(backend))
    // With ip-hash each candidate costs a logarithm.
    const { mock } = t.mock.method(Math, 'log')
    const before = counts()
    assert.deepEqual([counts(), mock.callCount()], [before, 3 * 4])
    const [loser] = backends.filter((_, index) => (before[index] ?? 0) > 0)
    fail(loser)
    const after = counts()
    assert.deepEqual([loser === undefined ? null : group.waitingFor(loser), after.reduce((a, b) => a + b)], [0, 3])
    leaving.abort()
    await Promise.allSettled(all)
  })

  it('does not admit to what the request has tried, while there is something else', async () => {
    const { group, backends } = scene([{}, {}])
    const [a, b] = backends as [Backend, Backend]
    await place(group)
    await place(group)
    const waiting = place(group, { tried: [a] })
    a.pool.leave()
    assert.deepEqual([group.waiting, a.busy], [1, 0])
    b.pool.leave()
    assert.equal((await waiting).backend, b)
  })

  it('sends all away at once when the last backend goes down, and nobody before', async () => {
    const { group, backends } = scene([{}, {}])
    await place(group)
    await place(group)
    const waiting = [place(group), place(group)]
    fail(backends[0])
    assert.equal(group.waiting, 2)
    fail(backends[1])
    assert.equal(group.waiting, 0)
    for (const one of waiting) await assert.rejects(one, { code: 'ERR_FCGI_DOWN', status: 503 })
  })

  it('does not admit to a backend that is down', async () => {
    const { group, backends } = scene([{}, {}])
    await place(group)
    await place(group)
    const waiting = place(group)
    fail(backends[0])
    backends[0]?.pool.leave()
    assert.equal(group.waiting, 1)
    backends[1]?.pool.leave()
    assert.equal(nameOf(await waiting), 'b')
  })

  it('admits to a backend that comes up as many as it has places', async () => {
    const { group, backends, pass } = scene([{ maxConnections: 3 }, {}])
    fail(backends[0])
    await place(group)
    const waiting = [place(group), place(group), place(group), place(group)]
    assert.equal(group.waiting, 4)
    pass(1000)
    const probe = take(group)
    assert.equal(probe?.probe, true)
    if (probe !== null) answer(probe)
    assert.equal(group.waiting, 1)
    assert.deepEqual((await Promise.all(waiting.slice(0, 3))).map(nameOf), ['a', 'a', 'a'])
    backends[1]?.pool.leave()
    await waiting[3]
  })

  it('admits when there may be more connections', async () => {
    const { group, servers } = scene([{}])
    await place(group)
    const waiting = [place(group), place(group)]
    servers[0]?.reconfigure(serverOptions('127.0.0.1:1', { name: 'a', maxConnections: 3 }))
    await Promise.all(waiting)
    assert.equal(group.waiting, 0)
  })

  it('is left by who waits for too long, and by who goes', async () => {
    const { group } = scene([{}])
    await place(group)
    const abortController = new AbortController()
    const leaving = place(group, { signal: abortController.signal })
    const full = { client: 'd', tried: NONE, request: 1, queueTimeout: 0, queueLimit: 1 }
    await assert.rejects(placeAtTurn(group, full), { code: 'ERR_FCGI_QUEUE_FULL' })
    await assert.rejects(place(group, { queueTimeout: 5 }), { code: 'ERR_FCGI_QUEUE_TIMEOUT' })
    const gone = new Error('gone')
    abortController.abort(gone)
    await assert.rejects(leaving, gone)
    assert.equal(group.waiting, 0)
  })

  it('tells who waits, and says nothing of who is refused', async () => {
    const { group } = scene([{}])
    await place(group)
    const messages: unknown[] = []
    const listener = (message: unknown): void => void messages.push(message)
    subscribe(channels.poolWait.name, listener)
    const wish = { client: 'c', tried: NONE, queueTimeout: 0, queueLimit: 2 }
    const waiting = [placeAtTurn(group, { ...wish, request: 7 }), placeAtTurn(group, { ...wish, request: 8 })]
    await assert.rejects(placeAtTurn(group, { ...wish, request: 9 }), { code: 'ERR_FCGI_QUEUE_FULL' })
    // Of another client, which has fewer there: the last of this one makes room.
    const refused = assert.rejects(waiting[1] ?? Promise.resolve(), { code: 'ERR_FCGI_QUEUE_FULL' })
    waiting.push(placeAtTurn(group, { ...wish, client: 'd', request: 10 }))
    await refused
    unsubscribe(channels.poolWait.name, listener)
    assert.deepEqual(messages, [
      { request: 7, location: 'app', waiting: 1 },
      { request: 8, location: 'app', waiting: 2 },
      { request: 10, location: 'app', waiting: 2 },
    ])
    assert.equal(group.waiting, 2)
  })
})

describe('Groups that share a server', { timeout: 30_000 }, () => {
  staysQuiet()

  it('get its places in turns, so that no location starves', async () => {
    const { group: one, servers, backends } = scene([{}])
    const other = groupOf(servers)
    await place(one)
    const order: string[] = []
    const all = [1, 2, 3].map((n) => place(one).then(() => order.push(`one ${n}`)))
    all.push(...[1, 2].map((n) => place(other).then(() => order.push(`other ${n}`))))
    assert.equal(servers[0]?.status[0]?.waiting, 5)
    for (let count = 0; count < 5; count += 1) backends[0]?.pool.leave()
    await Promise.all(all)
    assert.deepEqual(order, ['one 1', 'other 1', 'one 2', 'other 2', 'one 3'])
  })

  it('hear nothing of it any more when they are closed', async () => {
    const { group: one, servers, backends } = scene([{}])
    const other = groupOf(servers)
    await place(one)
    const waiting = place(other)
    one.close()
    backends[0]?.pool.leave()
    await waiting
  })
})

describe('A group with a host name', { timeout: 30_000 }, () => {
  staysQuiet()

  const patience =
    (connectTimeout: number, signal = new AbortController().signal) =>
    () => ({ connectTimeout, signal })

  it('needs no preparation without one, nor once it is resolved', async () => {
    const { group } = scene([{}])
    assert.equal(group.prepare(patience(0)), null)
    const named = groupOf([serverFor('php.test:9', {}, { lookUp: lookupOf(async () => ['192.0.2.1', '192.0.2.2']) })])
    await named.prepare(patience(0))
    assert.equal(named.prepare(patience(0)), null)
    const keys = [take(named), take(named), take(named), take(named), take(named)].map((taken) => taken?.backend.key)
    assert.deepEqual(new Set(keys), new Set(['192.0.2.1:9', '192.0.2.2:9']))
  })

  it('fails with what the look-up says, or when that takes too long, or when the client leaves', async () => {
    const failing = lookupOf(() => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })))
    const unknown = groupOf([serverFor('php.test:9', {}, { lookUp: failing })])
    await assert.rejects(unknown.prepare(patience(0)) ?? Promise.resolve(), { code: 'ERR_FCGI_CONNECT' })
    const never = lookupOf(() => new Promise(() => undefined))
    const slow = groupOf([serverFor('php.test:9', {}, { lookUp: never })])
    await assert.rejects(slow.prepare(patience(5)) ?? Promise.resolve(), (error: FastCgiError) => {
      return error.code === 'ERR_FCGI_CONNECT_TIMEOUT' && /php was not resolved within 5 ms/.test(error.detail)
    })
    const gone = new Error('gone')
    const leaving = new AbortController()
    const left = slow.prepare(patience(0, leaving.signal)) ?? Promise.resolve()
    leaving.abort(gone)
    await assert.rejects(left, gone)
  })

  it('waits for a first answer of each, and then for none that another can stand in for', async () => {
    let asked = 0
    const failing = lookupOf(() => {
      asked += 1
      return Promise.reject(new Error('no'))
    })
    const named = serverFor('php.test:9', { name: 'named' }, { lookUp: failing })
    const group = groupOf([named, serverFor('127.0.0.1:9')])
    await group.prepare(patience(0))
    assert.equal(asked, 1)
    assert.equal(group.prepare(patience(0)), null)
    assert.equal(take(group)?.backend.name, 'php')
  })

  it('waits for a name that is not answered once, where others can serve', async () => {
    const hanging = lookupOf(() => new Promise(() => undefined))
    const named = serverFor('php.test:9', { name: 'named' }, { lookUp: hanging })
    const group = groupOf([named, serverFor('127.0.0.1:9')])
    await group.prepare(patience(5))
    assert.equal(group.prepare(patience(0)), null)
    assert.equal(take(group)?.backend.name, 'php')
    await named.close()
  })

  it('admits those who wait to an address that appears', async () => {
    let resolve = (_addresses: readonly string[]): void => undefined
    const lookUp = lookupOf(
      () =>
        new Promise((found) => {
          resolve = found
        }),
    )
    const named = serverFor('php.test:9', { name: 'named', maxConnections: 1 }, { lookUp })
    const group = groupOf([named, serverFor('127.0.0.1:9', { maxConnections: 1 })])
    await place(group)
    const waiting = place(group)
    void named.resolve()
    resolve(['192.0.2.1'])
    assert.equal((await waiting).backend.key, '192.0.2.1:9')
  })
})
