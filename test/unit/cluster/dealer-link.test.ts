import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { Simulation } from './simulation.ts'

const KEY = '127.0.0.1:9000'

/** What a primary is given to answer, milliseconds. */
const PATIENCE = 1000

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

/** One worker whose primary may hear nothing. */
function alone(): { simulation: Simulation; worker: ReturnType<Simulation['fork']>[number] } {
  const simulation = new Simulation()
  const [worker] = simulation.fork()
  if (worker === undefined) throw new Error('There is no worker')
  return { simulation, worker }
}

describe('a worker whose primary deals', () => {
  it('waits for its first grant, and then lets in who waited', () => {
    const { simulation, worker } = alone()
    const pool = worker.pool(KEY, 4)
    pool.arrive(3)
    assert.deepEqual([pool.allowance.limit, pool.busy], [0, 0])
    simulation.settle()
    assert.deepEqual([pool.allowance.limit, pool.busy], [4, 3])
    mock.timers.tick(PATIENCE)
    assert.deepEqual([pool.allowance.limit, worker.warnings], [4, []])
  })

  it('asks for all that wait in few messages', () => {
    const { simulation, worker } = alone()
    const [other] = simulation.fork()
    const pool = worker.pool(KEY, 200)
    other?.pool(KEY, 200)
    simulation.settle()
    pool.arrive(1100)
    assert.ok(worker.toPrimary.length <= 12, `${worker.toPrimary.length} messages`)
    simulation.settle()
    assert.equal(pool.busy, 199)
  })

  it('takes no message of the application for one of the dealer', () => {
    const { simulation, worker } = alone()
    const pool = worker.pool(KEY, 4)
    simulation.settle()
    const other = worker.pool(KEY, 4)
    const join = worker.toPrimary[0]
    const holder = join !== undefined && 'holder' in join ? join.holder : ''
    const strange = [
      ...[null, 'express-fastcgi:grant', 7, [], { kind: 'stop' }, { type: 'grant', holder, places: 9 }],
      ...[
        { type: 'express-fastcgi:grant', holder },
        { type: 'express-fastcgi:grant', holder, places: -1 },
      ],
      ...[
        { type: 'express-fastcgi:grant', holder, places: 0.5 },
        { type: 'express-fastcgi:grant', holder, places: '9' },
      ],
      ...[
        { type: 'express-fastcgi:grant', holder: 1, places: 9 },
        { type: 'constructor', holder, places: 9 },
      ],
      { type: 'express-fastcgi:grant', holder: 'nobody', places: 9 },
    ]
    for (const message of strange) worker.hear(message)
    assert.deepEqual([pool.allowance.limit, other.allowance.limit], [4, 0])
  })

  it('listens while it has a pool, once for all of them', () => {
    const { simulation, worker } = alone()
    const pools = [worker.pool('a', 4), worker.pool('b', 4)]
    assert.equal(worker.listeners.size, 1)
    simulation.settle()
    for (const pool of pools) pool.allowance.close()
    assert.equal(worker.listeners.size, 0)
    const again = worker.pool('a', 4)
    mock.timers.tick(PATIENCE)
    assert.deepEqual([again.allowance.limit, worker.warnings], [0, []], 'who dealt once deals again')
    simulation.settle()
    assert.deepEqual([again.allowance.limit, worker.listeners.size], [4, 1])
  })

  it('sends nothing once its channel has closed, and keeps what it has', () => {
    const { simulation, worker } = alone()
    const pool = worker.pool(KEY, 4)
    simulation.settle()
    simulation.disconnect(worker)
    pool.arrive(10)
    while (pool.finish());
    pool.allowance.resize(8)
    assert.deepEqual([pool.allowance.limit, worker.toPrimary, pool.served], [4, [], 10])
    pool.allowance.close()
    assert.deepEqual(worker.toPrimary, [])
  })

  it('uses the whole when its channel closed before it heard anything, without a word', () => {
    const { worker } = alone()
    const pool = worker.pool(KEY, 4)
    worker.connected = false
    mock.timers.tick(PATIENCE)
    assert.deepEqual([pool.allowance.limit, worker.warnings], [4, []])
  })

  it('uses a whole new server when its channel has closed before', () => {
    const { simulation, worker } = alone()
    simulation.disconnect(worker)
    assert.equal(worker.pool(KEY, 4).allowance.limit, 4)
    assert.deepEqual(worker.warnings, [])
  })
})

describe('a worker whose primary does not deal', () => {
  it('uses the whole after a second, and says so once', () => {
    const { worker } = alone()
    const pools = [worker.pool('a', 4), worker.pool('b', 6)]
    for (const pool of pools) pool.arrive(10)
    mock.timers.tick(PATIENCE - 1)
    assert.deepEqual([pools[0]?.busy, worker.warnings.length], [0, 0])
    mock.timers.tick(1)
    assert.deepEqual([pools[0]?.busy, pools[1]?.busy], [4, 6])
    assert.equal(worker.warnings.length, 1)
    assert.match(worker.warnings[0] ?? '', /import 'express-fastcgi' in the primary.*the option workers/)
  })

  it('does not wait again for pools that come later, nor for one that grows', () => {
    const { worker } = alone()
    const pool = worker.pool('a', 4)
    mock.timers.tick(PATIENCE)
    assert.equal(worker.pool('b', 6).allowance.limit, 6)
    pool.allowance.resize(9)
    assert.equal(pool.allowance.limit, 9)
    pool.arrive(20)
    assert.equal(worker.toPrimary.filter(({ type }) => type !== 'express-fastcgi:join').length, 0)
  })

  it('is not warned of twice when its pools were all closed in between', () => {
    const { worker } = alone()
    worker.pool('a', 4).allowance.close()
    mock.timers.tick(PATIENCE)
    assert.deepEqual(worker.warnings, [])
    for (let round = 0; round < 2; round += 1) {
      const pool = worker.pool('a', 4)
      mock.timers.tick(PATIENCE)
      assert.equal(pool.allowance.limit, 4)
      pool.allowance.close()
    }
    assert.equal(worker.warnings.length, 1)
  })
})

describe('a primary that deals late', () => {
  it('is joined by those that had asked in vain', () => {
    const { simulation, worker } = alone()
    const pool = worker.pool(KEY, 4)
    worker.toPrimary.length = 0
    worker.toWorker.push({ type: 'express-fastcgi:deal' })
    simulation.settle()
    mock.timers.tick(PATIENCE)
    assert.deepEqual([pool.allowance.limit, worker.warnings], [4, []])
  })

  it('is joined once by those whose question it had heard after all', () => {
    const { simulation, worker } = alone()
    const pool = worker.pool(KEY, 4)
    worker.hear({ type: 'express-fastcgi:deal' })
    assert.equal(worker.toPrimary.length, 2)
    simulation.settle()
    assert.equal(pool.allowance.limit, 4)
  })

  it('changes nothing for those that it has answered', () => {
    const { simulation, worker } = alone()
    const pool = worker.pool(KEY, 4)
    simulation.settle()
    worker.hear({ type: 'express-fastcgi:deal' })
    simulation.settle()
    assert.equal(pool.allowance.limit, 4)
    pool.arrive(5)
    assert.deepEqual(
      worker.toPrimary.map(({ type }) => type),
      ['express-fastcgi:want'],
    )
  })

  it('is obeyed by workers that went on alone: what they use is counted and recalled', () => {
    const simulation = new Simulation()
    const workers = simulation.fork(2)
    const pools = workers.map((worker) => worker.pool(KEY, 4))
    for (const pool of pools) pool.arrive(20)
    mock.timers.tick(PATIENCE)
    assert.equal(simulation.open, 8)
    simulation.settle()
    assert.deepEqual(
      pools.map(({ allowance }) => allowance.limit),
      [2, 2],
    )
    assert.equal(simulation.open, 8)
    for (let request = 0; request < 3; request += 1) {
      for (const pool of pools) pool.finish()
      simulation.settle()
    }
    assert.equal(simulation.open, 4)
  })
})
