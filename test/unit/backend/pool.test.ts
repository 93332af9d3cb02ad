import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { type Allowance, type AllowanceUser, fixedAllowance } from '../../../lib/backend/allowance.ts'
import { ConnectionPool } from '../../../lib/backend/pool.ts'
import type { PoolOptions, PoolOwner } from '../../../lib/backend/pool-options.ts'
import { parseAddress } from '../../../lib/client/address.ts'
import type { Connection } from '../../../lib/client/connection.ts'
import { encodeClientRequest } from '../../../lib/client/encoded-request.ts'
import { channels } from '../../../lib/diagnostics.ts'
import { eventually } from '../../support/eventually.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { RecordedAnswer } from '../../support/recorded-answer.ts'
import { type Fake, type FakeRequest, startFake, stdout } from '../../support/responder.ts'

const TIMEOUTS = { connectTimeout: 30_000, sendTimeout: 30_000, readTimeout: 30_000 }
const ENCODED = encodeClientRequest({ params: new Map([['A', 'b']]), stdin: null, keepConnection: true })

interface Making extends Partial<Omit<PoolOptions, 'address'>>, Partial<PoolOwner> {
  readonly maxConnections?: number
  readonly allow?: (user: AllowanceUser) => Allowance
}

function poolFor(address: string, making: Making = {}): ConnectionPool {
  const { maxConnections = 2, allow = () => fixedAllowance(maxConnections), ...options } = making
  const { placeFreed = () => false, waiting = 0 } = making
  return new ConnectionPool(
    { address: parseAddress(address), maxRequests: Number.POSITIVE_INFINITY, idleTimeout: 30_000, ...options },
    { placeFreed, waiting },
    allow,
  )
}

/** A connection for a place that must be free. */
async function checkOut(pool: ConnectionPool, fresh = false): Promise<Connection> {
  assert.equal(pool.free, true)
  pool.take()
  return pool.connect(fresh)
}

async function exchange(connection: Connection): Promise<RecordedAnswer> {
  const received = new RecordedAnswer()
  connection.send(ENCODED, TIMEOUTS, received)
  await received.over
  return received
}

/** One request through the pool, its connection kept. */
async function serve(pool: ConnectionPool): Promise<Connection> {
  const connection = await checkOut(pool)
  const { error } = await exchange(connection)
  pool.checkIn(connection, error === null ? null : 'failed')
  return connection
}

/** Leaves two kept connections; both are served before one comes back, so that none looks starved. */
async function keepTwo(pool: ConnectionPool): Promise<[Connection, Connection]> {
  const [a, b] = [await checkOut(pool), await checkOut(pool)]
  await Promise.all([exchange(a), exchange(b)])
  assert.deepEqual(pool.status, { open: 2, idle: 0, busy: 2 })
  pool.checkIn(b, null)
  pool.checkIn(a, null)
  return [a, b]
}

const answering = (request: FakeRequest): Promise<void> => request.answer('\r\n')

/** Closes the pool and the responder; every connection must be gone. */
async function stop(pool: ConnectionPool, fake: Fake): Promise<void> {
  await pool.close()
  assert.deepEqual(pool.status, { open: 0, idle: 0, busy: 0 })
  await fake.until(() => fake.connections.open === 0)
  await fake.stop()
}

async function closeReasons(during: () => Promise<void>): Promise<string[]> {
  const reasons: string[] = []
  const listener = (message: unknown): void => {
    reasons.push((message as { reason: string }).reason)
  }
  subscribe(channels.connectionClose.name, listener)
  await during()
  unsubscribe(channels.connectionClose.name, listener)
  return reasons
}

describe('ConnectionPool', { timeout: 60_000 }, () => {
  staysQuiet()

  it('opens no connection before a request is sent, and none that nobody needs', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const connection = await checkOut(pool)
    assert.equal(connection.state, 'new')
    assert.deepEqual(pool.status, { open: 0, idle: 0, busy: 0 })
    pool.checkIn(connection, 'aborted')
    assert.equal(fake.connections.count, 0)
    await stop(pool, fake)
  })

  it('uses a kept connection again, the one that came back last', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const [a] = await keepTwo(pool)
    assert.deepEqual(pool.status, { open: 2, idle: 2, busy: 0 })
    for (let count = 0; count < 10; count += 1) assert.equal(await serve(pool), a)
    assert.equal(fake.connections.count, 2)
    await stop(pool, fake)
  })

  it('drops idle connections that have died', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const dead = await serve(pool)
    fake.requests[0]?.connection.close()
    await fake.until(() => fake.connections.open === 0)
    while (pool.status.open > 0) await turn()
    assert.deepEqual(pool.status, { open: 0, idle: 0, busy: 0 })
    for (let count = 0; count < 5; count += 1) assert.notEqual(await serve(pool), dead)
    assert.equal(fake.connections.count, 2)
    await stop(pool, fake)
  })

  it('drops every kept one when a fresh one is wanted', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const [a, b] = await keepTwo(pool)
    const fresh = await checkOut(pool, true)
    assert.equal(fresh.requests, 0)
    assert.deepEqual([a.state, b.state], ['closed', 'closed'])
    pool.checkIn(fresh, 'aborted')
    await stop(pool, fake)
  })

  it('closes a connection after maxRequests', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { maxRequests: 3 })
    const reasons = await closeReasons(async () => {
      for (let count = 0; count < 7; count += 1) await serve(pool)
    })
    assert.equal(fake.connections.count, 3)
    assert.deepEqual(reasons, ['worn', 'worn'])
    await stop(pool, fake)
  })

  it('closes what was idle for idleTimeout, and counts right after it', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { idleTimeout: 30 })
    const reasons = await closeReasons(async () => {
      for (let round = 0; round < 3; round += 1) {
        await keepTwo(pool)
        await eventually('idle connections are closed', () => pool.status.open === 0)
      }
    })
    assert.deepEqual(reasons, Array(6).fill('idle'))
    const busy = await checkOut(pool)
    const also = await checkOut(pool)
    assert.equal(pool.free, false)
    pool.checkIn(busy, 'aborted')
    pool.checkIn(also, 'aborted')
    await stop(pool, fake)
  })

  it('closes soon what was idle with the shortest idleTimeout', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { idleTimeout: 1 })
    await serve(pool)
    await eventually('the connection is closed', () => pool.status.open === 0)
    await stop(pool, fake)
  })

  it('does not keep what is not clean, nor what its user does not want kept', async () => {
    const fake = await startFake((request) =>
      request.send(
        Buffer.concat([stdout('\r\n'), Buffer.from([1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), stdout('x')]),
      ),
    )
    const pool = poolFor(fake.address)
    const reasons = await closeReasons(async () => {
      await serve(pool)
      pool.checkIn(await checkOut(pool), 'not kept')
    })
    assert.deepEqual(reasons, ['failed'])
    assert.equal(pool.status.open, 0)
    await stop(pool, fake)
  })

  it('counts a connection that could not be opened as gone', async () => {
    const pool = poolFor('/nowhere/s', { maxConnections: 1 })
    for (let count = 0; count < 5; count += 1) {
      const connection = await checkOut(pool)
      assert.equal((await exchange(connection)).error?.code, 'ERR_FCGI_CONNECT')
      pool.checkIn(connection, 'failed')
    }
    assert.equal(pool.status.open, 0)
    await pool.close()
  })

  it('gives an idle connection up for one that a busy backend does not answer', async () => {
    const fake = await startFake(async (request) => {
      // Like php-fpm with one child: the second connection is served when the first is gone.
      const [first] = fake.connections.list
      if (request.connection !== first) await request.connection.until(() => first?.closed === true)
      await request.answer('\r\n')
    })
    const pool = poolFor(fake.address)
    const reasons = await closeReasons(async () => {
      const [a, b] = [await checkOut(pool), await checkOut(pool)]
      assert.equal((await exchange(a)).error, null)
      const pending = exchange(b)
      pool.checkIn(a, null)
      assert.equal((await pending).error, null)
      pool.checkIn(b, null)
    })
    assert.deepEqual(reasons, ['given up'])
    assert.deepEqual(pool.status, { open: 1, idle: 1, busy: 0 })
    await stop(pool, fake)
  })

  it('gives a connection up as it comes back where none is idle', async () => {
    let letGo = (): void => undefined
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const fake = await startFake(async (request) => {
      const [first] = fake.connections.list
      if (request.connection === first) await held
      else await request.connection.until(() => first?.closed === true)
      await request.answer('\r\n')
    })
    const pool = poolFor(fake.address)
    const reasons = await closeReasons(async () => {
      const a = serve(pool)
      await fake.request(1)
      const b = serve(pool)
      await fake.request(2)
      // Long enough for the guard to see that the second one starves.
      await wait(150)
      letGo()
      assert.equal((await a).state, 'closed', 'at once, not at the next look')
      await b
    })
    assert.deepEqual(reasons, ['given up'])
    await stop(pool, fake)
  })
})

describe('ConnectionPool.close', { timeout: 60_000 }, () => {
  staysQuiet()

  it('closes idle connections at once and may be called twice', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const reasons = await closeReasons(async () => {
      await serve(pool)
      assert.equal(pool.close(), pool.close())
      await pool.close()
    })
    assert.deepEqual(reasons, ['shutdown'])
    assert.equal(pool.free, false)
    await stop(pool, fake)
  })

  it('closes a pool that was never used', async () => {
    await poolFor('/nowhere/s').close()
  })

  it('closes what comes back meanwhile, without waiting for the last', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const [a, b] = [await checkOut(pool), await checkOut(pool)]
    await Promise.all([exchange(a), exchange(b)])
    const closing = pool.close()
    pool.checkIn(a, null)
    assert.deepEqual([a.state, b.state], ['closed', 'busy'])
    pool.checkIn(b, null)
    await closing
    await stop(pool, fake)
  })

  it('closes idle connections before the busy ones are done, and gives no place any more', async () => {
    const fake = await startFake(answering)
    const offered: unknown[] = []
    const pool = poolFor(fake.address, { placeFreed: () => offered.push(null) > 0 })
    const [a, b] = await keepTwo(pool)
    const busy = await checkOut(pool)
    assert.equal(busy, a)
    offered.length = 0
    const closing = pool.close()
    assert.deepEqual([a.state, b.state, pool.free], ['idle', 'closed', false])
    await exchange(busy)
    pool.checkIn(busy, null)
    await closing
    assert.equal(offered.length, 0)
    await stop(pool, fake)
  })

  it('gives its allowance back when the last connection has closed', async () => {
    const fake = await startFake(answering)
    let closed = 0
    const allow = (): Allowance => ({
      ...fixedAllowance(2),
      limit: 2,
      close: () => {
        closed += 1
      },
    })
    const pool = poolFor(fake.address, { allow })
    const busy = await checkOut(pool)
    const closing = pool.close()
    assert.equal(closed, 0)
    pool.checkIn(busy, 'aborted')
    await closing
    assert.equal(closed, 1)
    await fake.stop()
  })
})

/** An allowance whose limit the test changes. */
class Changing implements Allowance {
  readonly calls: string[] = []
  limit: number
  user: AllowanceUser | null = null

  constructor(limit: number) {
    this.limit = limit
  }

  readonly allow = (user: AllowanceUser): Allowance => {
    this.user = user
    return this
  }

  grow(limit: number): void {
    this.limit = limit
    this.user?.grown()
  }

  shrink(limit: number): void {
    this.limit = limit
    this.user?.shrunk()
  }

  want(): void {
    this.calls.push('want')
  }

  released(): void {
    this.calls.push(`released ${this.user?.busy} ${this.user?.idle}`)
  }

  resize(total: number): void {
    this.limit = total
  }

  close(): void {
    this.calls.push('close')
  }
}

describe('The places of a ConnectionPool', { timeout: 60_000 }, () => {
  staysQuiet()

  it('are as many as are allowed, and offered as they get free', async () => {
    const fake = await startFake(answering)
    let offers = 0
    const placeFreed = (): boolean => {
      offers += 1
      return false
    }
    const pool = poolFor(fake.address, { placeFreed })
    const both = [await checkOut(pool), await checkOut(pool)]
    assert.deepEqual([pool.free, pool.busy, offers], [false, 2, 0])
    for (const connection of both) pool.checkIn(connection, 'aborted')
    assert.deepEqual([pool.free, pool.busy, offers], [true, 0, 2])
    pool.take()
    pool.leave()
    assert.deepEqual([pool.busy, offers], [0, 3])
    await stop(pool, fake)
  })

  it('are handed over, never free in between', async () => {
    const fake = await startFake(answering)
    let taken = false
    const pool: ConnectionPool = poolFor(fake.address, {
      maxConnections: 1,
      placeFreed: () => {
        pool.take()
        taken = true
        return true
      },
    })
    const first = await checkOut(pool)
    pool.checkIn(first, 'aborted')
    assert.deepEqual([taken, pool.free, pool.busy], [true, false, 1])
    pool.checkIn(await pool.connect(false), 'aborted')
    pool.leave()
    pool.leave()
    await fake.stop()
  })

  it('grow with the allowance, offered until nobody wants one', async () => {
    let waiting = 2
    const changing = new Changing(0)
    const pool: ConnectionPool = poolFor('/nowhere/s', {
      allow: changing.allow,
      placeFreed: () => {
        if (waiting === 0) return false
        waiting -= 1
        pool.take()
        return true
      },
    })
    assert.equal(pool.free, false)
    pool.want()
    changing.grow(1)
    assert.deepEqual([waiting, pool.busy], [1, 1])
    changing.grow(4)
    assert.deepEqual([waiting, pool.busy, pool.free], [0, 2, true])
    assert.deepEqual(changing.calls, ['want'])
    pool.leave()
    pool.leave()
    await pool.close()
    pool.want()
    assert.deepEqual(changing.calls.slice(1), ['released 1 0', 'released 0 0', 'close'])
  })

  it('shrink with the allowance: idle connections close at once, the oldest first, busy ones behind their request', async () => {
    const fake = await startFake(answering)
    const changing = new Changing(3)
    const pool = poolFor(fake.address, { allow: changing.allow })
    const reasons = await closeReasons(async () => {
      const [a, b] = await keepTwo(pool)
      changing.shrink(1)
      assert.deepEqual([a.state, b.state], ['idle', 'closed'])
      changing.grow(2)
      const [c, d] = [await checkOut(pool), await checkOut(pool)]
      await Promise.all([exchange(c), exchange(d)])
      changing.shrink(1)
      assert.deepEqual([c.state, d.state, pool.free], ['busy', 'busy', false])
      pool.checkIn(c, null)
      pool.checkIn(d, null)
      assert.deepEqual([c.state, d.state], ['closed', 'idle'])
    })
    assert.deepEqual(reasons, ['recalled', 'recalled'])
    assert.deepEqual(changing.calls, ['released 0 1', 'released 1 0'])
    await stop(pool, fake)
  })

  it('count a kept connection once that is about to be used', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    await keepTwo(pool)
    const first = await checkOut(pool)
    await exchange(first)
    pool.take()
    const second = pool.connect(false)
    assert.deepEqual([pool.busy, pool.idle], [2, 0])
    pool.checkIn(first, null)
    assert.equal(first.state, 'idle')
    pool.checkIn(await second, 'aborted')
    await stop(pool, fake)
  })

  it('shrink also where a connection is taken that is not open yet', async () => {
    const fake = await startFake(answering)
    const changing = new Changing(3)
    const pool = poolFor(fake.address, { allow: changing.allow })
    const [a, b] = [await checkOut(pool), await checkOut(pool)]
    await Promise.all([exchange(a), exchange(b)])
    pool.take()
    const third = pool.connect(false)
    pool.checkIn(a, null)
    pool.checkIn(b, null)
    changing.shrink(2)
    const made = await third
    assert.deepEqual([made.state, a.state, b.state], ['new', 'closed', 'idle'])
    await exchange(made)
    pool.checkIn(made, null)
    const both = [await checkOut(pool), await checkOut(pool)]
    assert.deepEqual(new Set(both), new Set([b, made]))
    await Promise.all(both.map(exchange))
    assert.equal(pool.status.open, 2)
    for (const connection of both) pool.checkIn(connection, null)
    await stop(pool, fake)
  })

  it('need no promise for a connection that was used a moment ago, and one for what generic-pool has', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const kept = await serve(pool)
    pool.take()
    assert.equal(pool.connect(false), kept)
    await exchange(kept)
    pool.checkIn(kept, null)
    // Not needed for a whole interval: handed back to generic-pool.
    t.mock.timers.tick(2000)
    await turn()
    pool.take()
    const again = pool.connect(false)
    assert.ok(again instanceof Promise)
    assert.deepEqual([await again, pool.status], [kept, { open: 1, idle: 0, busy: 1 }])
    pool.checkIn(kept, 'aborted')
    await stop(pool, fake)
  })

  it('change with maxConnections', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    await keepTwo(pool)
    pool.resize(1)
    assert.deepEqual([pool.limit, pool.status.idle], [1, 1])
    pool.resize(3)
    const three = [await checkOut(pool), await checkOut(pool), await checkOut(pool)]
    assert.equal(pool.free, false)
    for (const connection of three) pool.checkIn(connection, 'aborted')
    await stop(pool, fake)
  })

  it('tell the allowance when a connection has closed, however it came to that', async () => {
    const fake = await startFake(answering)
    const changing = new Changing(2)
    const pool = poolFor(fake.address, { allow: changing.allow })
    await serve(pool)
    assert.deepEqual(changing.calls, [])
    fake.requests[0]?.connection.close()
    await eventually('the kept one is dropped', () => pool.status.open === 0)
    assert.deepEqual(changing.calls, ['released 0 0'])
    pool.checkIn(await checkOut(pool), 'aborted')
    assert.deepEqual(changing.calls, ['released 0 0', 'released 0 0'])
    await stop(pool, fake)
  })

  it('serve one connection that is lent out beside the kept ones, and is not kept', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const reasons = await closeReasons(async () => {
      const [a, b] = await keepTwo(pool)
      pool.take()
      const lent = pool.lend()
      assert.deepEqual([a.state, b.state], ['idle', 'closed'], 'there is room for two')
      assert.equal((await exchange(lent)).error, null)
      pool.checkIn(lent, 'not kept')
    })
    assert.deepEqual(reasons, ['recalled', 'not kept'])
    assert.deepEqual([pool.busy, pool.status.open], [0, 1])
    await stop(pool, fake)
  })

  it('never let more connections be open than allowed, however requests and limits come and go', async () => {
    const fake = await startFake(answering)
    const changing = new Changing(3)
    const pool = poolFor(fake.address, { allow: changing.allow })
    let random = 1
    const draw = (below: number): number => {
      random = (random * 48_271) % 2_147_483_647
      return random % below
    }
    const closed = (): number => changing.calls.filter((call) => call.startsWith('released')).length
    const serveSoon = async (): Promise<void> => {
      if (!pool.free) return
      const connection = await checkOut(pool)
      assert.equal((await exchange(connection)).error, null)
      assert.ok(pool.status.open <= 6)
      pool.checkIn(connection, draw(4) === 0 ? 'not kept' : null)
      assert.ok(pool.status.open <= Math.max(changing.limit, pool.busy), `${pool.status.open} of ${changing.limit}`)
    }
    for (let round = 0; round < 60; round += 1) {
      const burst = Array.from({ length: 1 + draw(5) }, serveSoon)
      if (draw(3) === 0) changing.shrink(1 + draw(3))
      else changing.grow(3 + draw(4))
      await Promise.all(burst)
      assert.ok(pool.status.open <= changing.limit)
    }
    assert.ok(closed() > 0)
    assert.ok(fake.connections.peak <= 6)
    await stop(pool, fake)
  })
})
