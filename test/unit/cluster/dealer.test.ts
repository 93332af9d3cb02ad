import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { type PlainPool, type SimulatedWorker, Simulation } from './simulation.ts'

const KEY = '/run/php.sock'

/** Longer than any pause of a worker. */
const LATER = 1000

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

/** So many workers, each with a pool for the one address. */
function cluster(count: number, total: number, keepAlive = false): { simulation: Simulation; pools: PlainPool[] } {
  const simulation = new Simulation()
  const pools = simulation.fork(count).map((worker) => worker.pool(KEY, total, keepAlive))
  simulation.settle()
  return { simulation, pools }
}

function limits(pools: readonly PlainPool[]): number[] {
  return pools.map(({ allowance }) => allowance.limit)
}

function workerOf(simulation: Simulation, pool: PlainPool | undefined): SimulatedWorker {
  const found = [...simulation.workers.values()].find(({ pools }) => pool !== undefined && pools.includes(pool))
  if (found === undefined) throw new Error('It has no worker')
  return found
}

/** One pool, whose absence would be a mistake of the test. */
function at(pools: readonly PlainPool[], index: number): PlainPool {
  const pool = pools[index]
  if (pool === undefined) throw new Error(`There is no pool ${index}`)
  return pool
}

describe('the first grant', () => {
  it('is the fair share, rounded down', () => {
    assert.deepEqual(limits(cluster(1, 10).pools), [10])
    assert.deepEqual(limits(cluster(2, 10).pools), [5, 5])
    assert.deepEqual(limits(cluster(4, 10).pools), [2, 2, 2, 2])
  })

  it('is one place each as far as they go where there are more workers than places', () => {
    assert.deepEqual(limits(cluster(4, 3).pools), [1, 1, 1, 0])
  })

  it('leaves room for workers that have not come yet', () => {
    const simulation = new Simulation()
    const [first] = simulation.fork(4)
    const pool = first?.pool(KEY, 8)
    simulation.settle()
    assert.equal(pool?.allowance.limit, 2)
  })

  it('is of each address by itself', () => {
    const simulation = new Simulation()
    const [one, other] = simulation.fork(2)
    const pools = [one?.pool('a', 4), one?.pool('b', 6), other?.pool('a', 4), other?.pool('b', 6)]
    simulation.settle()
    assert.deepEqual(
      pools.map((pool) => pool?.allowance.limit),
      [2, 3, 2, 3],
    )
  })

  it('is taken from those that have more when a worker comes later', () => {
    const { simulation, pools } = cluster(1, 8)
    at(pools, 0).arrive(8)
    const [late] = simulation.fork()
    const newcomer = late?.pool(KEY, 8)
    simulation.settle()
    assert.equal(newcomer?.allowance.limit, 0, 'all are in use')
    for (let request = 0; request < 8; request += 1) at(pools, 0).finish()
    simulation.settle()
    assert.deepEqual([at(pools, 0).allowance.limit, newcomer?.allowance.limit], [4, 4])
  })
})

describe('a worker that wants more', () => {
  it('gets what is free', () => {
    const { simulation, pools } = cluster(4, 10)
    at(pools, 0).arrive(4)
    simulation.settle()
    assert.equal(at(pools, 0).busy, 4)
    assert.deepEqual(limits(pools), [4, 2, 2, 2])
  })

  it('gets half of what lies idle elsewhere, and again while it wants', () => {
    const { simulation, pools } = cluster(2, 16, true)
    at(pools, 1).arrive(5)
    for (let request = 0; request < 4; request += 1) at(pools, 1).finish()
    at(pools, 0).arrive(20)
    simulation.settle()
    assert.deepEqual(limits(pools), [15, 1], 'the busy place stays')
    assert.deepEqual([at(pools, 0).busy, at(pools, 1).open], [15, 1])
    assert.equal(simulation.open, 16)
  })

  it('is denied where all are busy, and asks again only after a pause', () => {
    const { simulation, pools } = cluster(2, 4)
    at(pools, 1).arrive(2)
    at(pools, 0).arrive(10)
    simulation.settle()
    assert.deepEqual(limits(pools), [2, 2])
    const before = simulation.log.length
    at(pools, 0).arrive(10)
    simulation.settle()
    assert.equal(simulation.log.length, before)
    at(pools, 1).finish()
    at(pools, 1).finish()
    mock.timers.tick(LATER)
    simulation.settle()
    assert.deepEqual(limits(pools), [3, 1])
  })

  it('gets its fair share back from one that has more, as soon as a request there has ended', () => {
    const { simulation, pools } = cluster(2, 8)
    at(pools, 0).arrive(7)
    simulation.settle()
    assert.deepEqual(limits(pools), [7, 1])
    at(pools, 0).arrive(50)
    at(pools, 1).arrive(10)
    simulation.settle()
    assert.deepEqual(limits(pools), [4, 1], 'recalled, not free: the connections are still open')
    assert.equal(simulation.open, 8)
    for (let request = 0; request < 3; request += 1) {
      at(pools, 0).finish()
      simulation.settle()
      assert.equal(simulation.open, 8)
    }
    assert.deepEqual(limits(pools), [4, 4])
    assert.deepEqual([at(pools, 0).busy, at(pools, 1).busy], [4, 4])
  })

  it('waits its turn where there are fewer places than workers', () => {
    const { simulation, pools } = cluster(4, 3)
    for (const pool of pools) pool.arrive(1000)
    simulation.settle()
    for (let round = 0; round < 40; round += 1) {
      const before = pools.map(({ served }) => served)
      for (let turn = 0; turn < 3; turn += 1) {
        for (const pool of pools) {
          pool.finish()
          simulation.settle()
        }
      }
      for (const [index, pool] of pools.entries()) assert.ok(pool.served > (before[index] ?? 0), `${index} starves`)
      assert.equal(simulation.open, 3)
    }
  })

  it('takes a lone place from one that does not use it', () => {
    const { simulation, pools } = cluster(3, 2)
    const without = pools.find(({ allowance }) => allowance.limit === 0)
    without?.arrive()
    simulation.settle()
    assert.equal(without?.busy, 1)
    assert.equal(simulation.open, 1)
  })
})

describe('what a worker has', () => {
  it('costs no message while it is enough', () => {
    const { simulation, pools } = cluster(2, 8)
    const before = simulation.log.length
    for (let round = 0; round < 100; round += 1) {
      for (const pool of pools) pool.arrive(4)
      for (const pool of pools) while (pool.finish());
    }
    mock.timers.tick(LATER)
    simulation.settle()
    assert.equal(simulation.log.length, before)
  })

  it('goes back when it dies, and to those that wait', () => {
    const { simulation, pools } = cluster(2, 8)
    for (const pool of pools) pool.arrive(20)
    simulation.settle()
    simulation.kill(workerOf(simulation, at(pools, 1)))
    assert.equal(simulation.open, 4)
    mock.timers.tick(LATER)
    simulation.settle()
    assert.equal(at(pools, 0).busy, 8)
  })

  it('goes back though it died with a recall on its way', () => {
    const { simulation, pools } = cluster(2, 8)
    at(pools, 0).arrive(7)
    simulation.settle()
    at(pools, 1).arrive(10)
    simulation.settle()
    simulation.kill(workerOf(simulation, at(pools, 0)))
    simulation.settle()
    assert.equal(at(pools, 1).busy, 8)
  })

  it('stays counted while its process lives on without a channel, and goes back when that ends', () => {
    const { simulation, pools } = cluster(2, 8)
    const leaving = workerOf(simulation, at(pools, 1))
    at(pools, 1).arrive(4)
    simulation.disconnect(leaving)
    at(pools, 0).arrive(20)
    simulation.settle()
    assert.deepEqual([at(pools, 0).busy, simulation.open], [4, 8])
    simulation.kill(leaving)
    mock.timers.tick(LATER)
    simulation.settle()
    assert.equal(at(pools, 0).busy, 8)
  })

  it('goes back when its pool closes, once', () => {
    const { simulation, pools } = cluster(2, 8)
    at(pools, 1).allowance.close()
    at(pools, 1).allowance.close()
    at(pools, 0).arrive(20)
    simulation.settle()
    assert.equal(at(pools, 0).busy, 8)
    assert.equal(simulation.log.filter(({ type }) => type === 'express-fastcgi:leave').length, 1)
  })

  it('is shared by two pools of one worker for the same address', () => {
    const simulation = new Simulation()
    const [worker] = simulation.fork()
    const pools = [worker?.pool(KEY, 6), worker?.pool(KEY, 6)].flatMap((pool) => pool ?? [])
    simulation.settle()
    for (const pool of pools) pool.arrive(10)
    simulation.settle()
    for (let request = 0; request < 20; request += 1) {
      for (const pool of pools) pool.finish()
      simulation.settle()
      assert.ok(simulation.open <= 6)
    }
    assert.deepEqual(
      pools.map(({ served }) => served),
      [10, 10],
    )
  })
})

describe('another total', () => {
  it('counts from when the first says less, and until the last says more', () => {
    const { simulation, pools } = cluster(2, 8)
    for (const pool of pools) pool.arrive(50)
    simulation.settle()
    at(pools, 0).allowance.resize(4)
    simulation.settle()
    assert.deepEqual(limits(pools), [2, 2])
    assert.equal(simulation.open, 8, 'nothing is broken off')
    for (const pool of pools) while (pool.busy > 2) pool.finish()
    simulation.settle()
    assert.equal(simulation.open, 4)
    at(pools, 1).allowance.resize(4)
    simulation.settle()
    at(pools, 0).allowance.resize(12)
    mock.timers.tick(LATER)
    simulation.settle()
    assert.equal(simulation.open, 4)
    at(pools, 1).allowance.resize(12)
    mock.timers.tick(LATER)
    simulation.settle()
    assert.equal(simulation.open, 12)
  })
})

describe('a message', () => {
  it('about a holder of another worker is of no effect', () => {
    const { simulation, pools } = cluster(2, 8)
    const join = simulation.log.find(({ type }) => type === 'express-fastcgi:join')
    const holder = join !== undefined && 'holder' in join ? join.holder : ''
    const stranger = workerOf(simulation, at(pools, 1))
    simulation.dealer.receive(stranger.id, { type: 'express-fastcgi:leave', holder })
    at(pools, 1).arrive(20)
    simulation.settle()
    assert.equal(at(pools, 0).allowance.limit + at(pools, 1).allowance.limit, 8)
  })

  it('that gives more than was recalled gives no more than that', () => {
    const { simulation, pools } = cluster(2, 8)
    const join = simulation.log.find(({ type }) => type === 'express-fastcgi:join')
    const holder = join !== undefined && 'holder' in join ? join.holder : ''
    simulation.dealer.receive(workerOf(simulation, at(pools, 0)).id, {
      type: 'express-fastcgi:give',
      holder,
      places: 4,
    })
    at(pools, 0).arrive(4)
    at(pools, 1).arrive(20)
    simulation.settle()
    assert.equal(simulation.open, 8)
  })
})
