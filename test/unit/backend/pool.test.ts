import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { type CheckOutOptions, ConnectionPool, type PoolOptions } from '../../../lib/backend/pool.ts'
import { parseAddress } from '../../../lib/client/address.ts'
import type { Connection } from '../../../lib/client/connection.ts'
import { encodeClientRequest } from '../../../lib/client/encoded-request.ts'
import { channels } from '../../../lib/diagnostics.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { eventually } from '../../support/eventually.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { RecordedAnswer } from '../../support/recorded-answer.ts'
import { type Fake, type FakeRequest, startFake, stdout } from '../../support/responder.ts'

const LIMITS: CheckOutOptions = { queueTimeout: 30_000, queueLimit: 100, fresh: false }
const TIMEOUTS = { connectTimeout: 30_000, sendTimeout: 30_000, readTimeout: 30_000 }
const ENCODED = encodeClientRequest({ params: new Map([['A', 'b']]), stdin: null, keepConnection: true })
const never = (): AbortSignal => new AbortController().signal

function poolFor(address: string, options: Partial<PoolOptions> = {}): ConnectionPool {
  return new ConnectionPool({
    name: 'php',
    address: parseAddress(address),
    maxConnections: 2,
    maxRequests: Number.POSITIVE_INFINITY,
    idleTimeout: 30_000,
    ...options,
  })
}

async function exchange(connection: Connection): Promise<RecordedAnswer> {
  const received = new RecordedAnswer()
  connection.send(ENCODED, TIMEOUTS, received)
  await received.over
  return received
}

/** One request through the pool, its connection kept. */
async function serve(pool: ConnectionPool, options: Partial<CheckOutOptions> = {}): Promise<Connection> {
  const connection = await pool.checkOut({ ...LIMITS, ...options }, never)
  const { error } = await exchange(connection)
  pool.checkIn(connection, error === null ? null : 'failed')
  return connection
}

/** Leaves two kept connections; both are served before one comes back, so that none looks starved. */
async function keepTwo(pool: ConnectionPool): Promise<[Connection, Connection]> {
  const [a, b] = [await pool.checkOut(LIMITS, never), await pool.checkOut(LIMITS, never)]
  await Promise.all([exchange(a), exchange(b)])
  assert.deepEqual(pool.status, { open: 2, idle: 0, busy: 2, waiting: 0 })
  pool.checkIn(b, null)
  pool.checkIn(a, null)
  return [a, b]
}

const answering = (request: FakeRequest): Promise<void> => request.answer('\r\n')

/** Closes the pool and the responder; every connection must be gone. */
async function stop(pool: ConnectionPool, fake: Fake): Promise<void> {
  await pool.close()
  assert.deepEqual(pool.status, { open: 0, idle: 0, busy: 0, waiting: 0 })
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
    const connection = await pool.checkOut(LIMITS, never)
    assert.equal(connection.state, 'new')
    assert.deepEqual(pool.status, { open: 0, idle: 0, busy: 0, waiting: 0 })
    pool.checkIn(connection, 'aborted')
    assert.equal(fake.connections.count, 0)
    await stop(pool, fake)
  })

  it('uses a kept connection again, the one that came back last', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const [a] = await keepTwo(pool)
    assert.deepEqual(pool.status, { open: 2, idle: 2, busy: 0, waiting: 0 })
    for (let count = 0; count < 10; count += 1) assert.equal(await serve(pool), a)
    assert.equal(fake.connections.count, 2)
    await stop(pool, fake)
  })

  for (const keep of [true, false]) {
    it(`never has more requests under way than maxConnections, ${keep ? 'kept' : 'not kept'}`, async () => {
      let active = 0
      let peak = 0
      const fake = await startFake(async (request) => {
        active += 1
        peak = Math.max(peak, active)
        await request.connection.until(() => peak >= 4)
        await wait(Math.random() * 4)
        active -= 1
        await request.answer('\r\n')
      })
      const pool = poolFor(fake.address, { maxConnections: 4 })
      const order: number[] = []
      await Promise.all(
        Array.from({ length: 80 }, async (_, index) => {
          const connection = await pool.checkOut(LIMITS, never)
          order.push(index)
          const received = await exchange(connection)
          assert.equal(received.error, null)
          assert.ok(pool.status.open <= 4)
          pool.checkIn(connection, keep ? null : 'not kept')
        }),
      )
      assert.equal(peak, 4)
      assert.deepEqual(order, Array.from(order.keys()), 'first come, first served')
      // Fewer than 80, not 4: on a slow machine the guard against starvation gives some up.
      assert.equal(fake.connections.count < 80, keep)
      assert.equal(pool.status.open > 0, keep)
      await stop(pool, fake)
    })
  }

  it('lets a request in the queue go when its client leaves, and loses no place by it', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { maxConnections: 1 })
    const busy = await pool.checkOut(LIMITS, never)
    const abortController = new AbortController()
    const gone = new FastCgiError('ERR_FCGI_CLIENT_GONE')
    const leaving = pool.checkOut(LIMITS, () => abortController.signal)
    const brief = pool.checkOut({ ...LIMITS, queueTimeout: 20 }, never)
    const staying = pool.checkOut(LIMITS, never)
    await assert.rejects(pool.checkOut({ ...LIMITS, queueLimit: 3 }, never), { code: 'ERR_FCGI_QUEUE_FULL' })
    assert.equal(pool.status.waiting, 3)
    abortController.abort(gone)
    await assert.rejects(leaving, gone)
    await assert.rejects(brief, { code: 'ERR_FCGI_QUEUE_TIMEOUT' })
    assert.equal(pool.status.waiting, 1)
    pool.checkIn(busy, 'aborted')
    pool.checkIn(await staying, 'aborted')
    // The place is free: nobody waits.
    for (let count = 0; count < 3; count += 1) await serve(pool, { queueLimit: 0 })
    await stop(pool, fake)
  })

  it('asks for a signal only where a request has to wait', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { maxConnections: 1 })
    const first = await pool.checkOut(LIMITS, () => assert.fail('nobody waits'))
    let asked = 0
    const second = pool.checkOut(LIMITS, () => {
      asked += 1
      return never()
    })
    assert.equal(asked, 1)
    pool.checkIn(first, 'aborted')
    pool.checkIn(await second, 'aborted')
    await stop(pool, fake)
  })

  it('tells who waits', async () => {
    const heard: unknown[] = []
    const listener = (message: unknown): void => {
      heard.push(message)
    }
    subscribe(channels.poolWait.name, listener)
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { maxConnections: 1 })
    await Promise.all([serve(pool), serve(pool), serve(pool)])
    const full = { queueTimeout: 0, queueLimit: 0, fresh: false }
    const never = new AbortController().signal
    const first = await pool.checkOut(full, () => never)
    await assert.rejects(
      pool.checkOut(full, () => never),
      { code: 'ERR_FCGI_QUEUE_FULL' },
    )
    pool.checkIn(first, 'aborted')
    assert.deepEqual(heard, [
      { server: 'php', waiting: 1 },
      { server: 'php', waiting: 2 },
    ])
    unsubscribe(channels.poolWait.name, listener)
    await stop(pool, fake)
  })

  it('drops idle connections that have died', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const dead = await serve(pool)
    fake.requests[0]?.connection.close()
    await fake.until(() => fake.connections.open === 0)
    while (pool.status.open > 0) await turn()
    assert.deepEqual(pool.status, { open: 0, idle: 0, busy: 0, waiting: 0 })
    for (let count = 0; count < 5; count += 1) assert.notEqual(await serve(pool), dead)
    assert.equal(fake.connections.count, 2)
    await stop(pool, fake)
  })

  it('drops every kept one when a fresh one is wanted', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const [a, b] = await keepTwo(pool)
    const fresh = await pool.checkOut({ ...LIMITS, fresh: true }, never)
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
    const busy = await pool.checkOut(LIMITS, never)
    const also = await pool.checkOut(LIMITS, never)
    await assert.rejects(pool.checkOut({ ...LIMITS, queueLimit: 0 }, never), { code: 'ERR_FCGI_QUEUE_FULL' })
    pool.checkIn(busy, 'aborted')
    pool.checkIn(also, 'aborted')
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
      pool.checkIn(await pool.checkOut(LIMITS, never), 'not kept')
    })
    assert.deepEqual(reasons, ['failed'])
    assert.equal(pool.status.open, 0)
    await stop(pool, fake)
  })

  it('counts a connection that could not be opened as gone', async () => {
    const pool = poolFor('/nowhere/s', { maxConnections: 1 })
    for (let count = 0; count < 5; count += 1) {
      const connection = await pool.checkOut({ ...LIMITS, queueLimit: 0 }, never)
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
      const [a, b] = [await pool.checkOut(LIMITS, never), await pool.checkOut(LIMITS, never)]
      assert.equal((await exchange(a)).error, null)
      const pending = exchange(b)
      pool.checkIn(a, null)
      assert.equal((await pending).error, null)
      pool.checkIn(b, null)
    })
    assert.deepEqual(reasons, ['given up'])
    assert.deepEqual(pool.status, { open: 1, idle: 1, busy: 0, waiting: 0 })
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
    await assert.rejects(pool.checkOut(LIMITS, never), { code: 'ERR_FCGI_CLOSED', status: 503 })
    await stop(pool, fake)
  })

  it('closes a pool that was never used', async () => {
    await poolFor('/nowhere/s').close()
  })

  it('loses neither who is served nor who waits, and refuses who comes later', async () => {
    const fake = await startFake(async (request) => {
      await wait(5)
      await request.answer('\r\n')
    })
    const pool = poolFor(fake.address)
    const served: number[] = []
    const all = Array.from({ length: 20 }, (_, index) => serve(pool).then(() => served.push(index)))
    await fake.request(3)
    let closed = false
    const closing = pool.close().then(() => {
      closed = true
    })
    await assert.rejects(pool.checkOut(LIMITS, never), { code: 'ERR_FCGI_CLOSED' })
    assert.equal(closed, false)
    await Promise.all(all)
    await closing
    assert.deepEqual(
      served.toSorted((a, b) => a - b),
      Array.from(served.keys()),
    )
    assert.equal(fake.requests.length, 20)
    await stop(pool, fake)
  })

  it('closes what comes back meanwhile, without waiting for the last', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address)
    const [a, b] = [await pool.checkOut(LIMITS, never), await pool.checkOut(LIMITS, never)]
    await Promise.all([exchange(a), exchange(b)])
    const closing = pool.close()
    pool.checkIn(a, null)
    assert.deepEqual([a.state, b.state], ['closed', 'busy'])
    pool.checkIn(b, null)
    await closing
    await stop(pool, fake)
  })

  it('is not held by those who leave the queue meanwhile', async () => {
    const fake = await startFake(answering)
    const pool = poolFor(fake.address, { maxConnections: 1 })
    const busy = await pool.checkOut(LIMITS, never)
    const abortController = new AbortController()
    const leaving = pool.checkOut(LIMITS, () => abortController.signal)
    const closing = pool.close()
    abortController.abort(new FastCgiError('ERR_FCGI_CLIENT_GONE'))
    await assert.rejects(leaving, { code: 'ERR_FCGI_CLIENT_GONE' })
    pool.checkIn(busy, null)
    await closing
    await stop(pool, fake)
  })
})
