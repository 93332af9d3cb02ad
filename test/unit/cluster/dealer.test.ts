import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { Dealer } from '../../../lib/cluster/dealer.ts'
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

  it('does not take what would only turn the tables', () => {
    const { simulation, pools } = cluster(2, 5)
    at(pools, 0).arrive(50)
    simulation.settle()
    at(pools, 1).arrive(50)
    for (let round = 0; round < 5; round += 1) {
      simulation.settle()
      for (const pool of pools) pool.finish()
    }
    simulation.settle()
    assert.deepEqual(limits(pools), [3, 2])
  })

  it('waits for all that were asked before it is denied', () => {
    const { simulation, pools } = cluster(3, 12)
    at(pools, 0).arrive(4)
    at(pools, 2).arrive(6)
    simulation.settle()
    assert.deepEqual(limits(pools), [4, 2, 6], 'the first spares none, the second half')
  })

  it('takes a lone place from the one that has held it longest', () => {
    const { simulation, pools } = cluster(3, 2)
    for (const pool of pools) pool.arrive(5)
    simulation.settle()
    assert.deepEqual(limits(pools), [0, 1, 0])
  })

  it('is served before one that still has its place, though that was told to give it up', () => {
    const { simulation, pools } = cluster(4, 2)
    at(pools, 0).arrive(5)
    at(pools, 1).arrive(1)
    at(pools, 2).arrive(5)
    simulation.settle()
    assert.deepEqual(limits(pools), [1, 0, 0, 0], 'the second wants no more')
    at(pools, 1).arrive(5)
    simulation.settle()
    at(pools, 3).arrive(5)
    simulation.settle()
    assert.deepEqual(limits(pools), [0, 0, 0, 0])
  })

  it('takes a lone place rather from one that has asked for no more', () => {
    const { simulation, pools } = cluster(3, 2)
    at(pools, 2).arrive(5)
    simulation.settle()
    at(pools, 0).arrive(1)
    simulation.settle()
    assert.deepEqual(limits(pools), [1, 0, 1])
    at(pools, 1).arrive(1)
    simulation.settle()
    assert.deepEqual(limits(pools), [0, 0, 1], 'the third has waiters, and was denied')
  })

  it('keeps its turn when it wants more while it waits', () => {
    const { simulation, pools } = cluster(3, 1)
    for (const index of [0, 1, 2, 1]) {
      at(pools, index).arrive(1)
      simulation.settle()
    }
    at(pools, 0).finish()
    simulation.settle()
    assert.deepEqual([at(pools, 1).busy, at(pools, 2).busy], [1, 0])
  })

  it('takes a lone place from one that does not use it', () => {
    const { simulation, pools } = cluster(3, 2)
    at(pools, 0).arrive(5)
    simulation.settle()
    const without = pools.find(({ allowance }) => allowance.limit === 0)
    without?.arrive()
    simulation.settle()
    assert.deepEqual([without?.busy, at(pools, 1).allowance.limit, simulation.open], [1, 0, 2])
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

  it('is waited for no more when its process has lost its channel: another gives', () => {
    const { simulation, pools } = cluster(3, 3)
    const leaving = workerOf(simulation, at(pools, 0))
    for (const pool of pools) pool.arrive(1)
    const [late] = simulation.fork()
    const newcomer = late?.pool(KEY, 3)
    simulation.settle()
    newcomer?.arrive()
    simulation.settle()
    assert.deepEqual(limits(pools), [0, 1, 1])
    simulation.disconnect(leaving)
    simulation.settle()
    assert.deepEqual(limits(pools), [0, 0, 1])
    at(pools, 1).finish()
    simulation.settle()
    assert.equal(newcomer?.busy, 1)
  })

  it('is no answer that others wait for, when its process has lost its channel', () => {
    const { simulation, pools } = cluster(3, 12)
    at(pools, 0).arrive(6)
    const [first, asked] = [workerOf(simulation, at(pools, 0)), workerOf(simulation, at(pools, 1))]
    simulation.step(first, 'toPrimary')
    simulation.disconnect(asked)
    simulation.settle()
    mock.timers.tick(LATER)
    simulation.settle()
    assert.deepEqual(limits(pools), [6, 4, 2], 'the third is asked, and asked again')
  })

  it('grows no more when its process has lost its channel', () => {
    const { simulation, pools } = cluster(3, 6)
    for (const pool of pools) pool.arrive(2)
    at(pools, 0).arrive(9)
    at(pools, 2).arrive(9)
    for (const index of [0, 2]) simulation.step(workerOf(simulation, at(pools, index)), 'toPrimary')
    simulation.disconnect(workerOf(simulation, at(pools, 0)))
    simulation.kill(workerOf(simulation, at(pools, 1)))
    mock.timers.tick(LATER)
    simulation.settle()
    assert.equal(at(pools, 2).busy, 4)
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
  it('that crosses a recall promises no more than is left', () => {
    const sent: string[] = []
    const dealer = new Dealer({
      send: (_, { type, ...rest }) => sent.push(`${type} ${Object.values(rest)}`),
      workers: () => 2,
    })
    for (const [worker, holder] of [
      [1, 'a'],
      [2, 'b'],
    ] as const) {
      dealer.receive(worker, { type: 'express-fastcgi:join', holder, key: KEY, total: 6, held: 0 })
    }
    dealer.receive(2, { type: 'express-fastcgi:want', holder: 'b', places: 2 })
    assert.equal(sent.at(-1), 'express-fastcgi:ask a,2')
    dealer.receive(2, { type: 'express-fastcgi:resize', holder: 'b', total: 1 })
    assert.deepEqual(sent.slice(-2).toSorted(), ['express-fastcgi:recall a,3', 'express-fastcgi:recall b,2'])
    dealer.receive(1, { type: 'express-fastcgi:spare', holder: 'a', places: 2 })
    dealer.receive(1, { type: 'express-fastcgi:give', holder: 'a', places: 3 })
    dealer.receive(2, { type: 'express-fastcgi:give', holder: 'b', places: 2 })
    dealer.receive(1, { type: 'express-fastcgi:want', holder: 'a', places: 1 })
    assert.equal(sent.at(-1), 'express-fastcgi:recall b,1')
  })

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
