import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import fc from 'fast-check'
import { type PlainPool, type SimulatedWorker, Simulation } from './simulation.ts'

const KEY = '/run/php.sock'

/** Longer than any pause of a worker. */
const LATER = 1000

/** What can happen next; `pick` chooses to whom. */
type Happening = readonly [kind: Kind, pick: number]
type Kind = (typeof KINDS)[number]

/** The frequent ones more than once. */
const KINDS = [
  ...(['arrive', 'arrive', 'burst', 'finish', 'finish', 'finish'] as const),
  ...(['hear', 'hear', 'hear', 'hear', 'tell', 'tell', 'tell', 'tell', 'settle', 'later'] as const),
  ...(['fork', 'kill', 'disconnect', 'open', 'close', 'resize'] as const),
] as const

const happening: fc.Arbitrary<Happening> = fc.tuple(fc.constantFrom(...KINDS), fc.nat(1000))

const MOST_WORKERS = 6
const MOST_PLACES = 9

/** Any history of a cluster, and what must be true of it at every moment. */
class History {
  readonly #simulation = new Simulation()
  readonly #total: number
  /** The greatest total that any has had. */
  #most: number
  readonly #keepAlive: boolean
  /** Those that still serve. */
  readonly #pools = new Map<PlainPool, SimulatedWorker>()

  constructor(total: number, workers: number, keepAlive: boolean) {
    this.#total = total
    this.#most = total
    this.#keepAlive = keepAlive
    for (const worker of this.#simulation.fork(workers)) this.#open(worker)
  }

  happen([kind, pick]: Happening): void {
    const worker = [...this.#simulation.workers.values()].at(pick % Math.max(1, this.#simulation.workers.size))
    const [pool] = [...this.#pools].at(pick % Math.max(1, this.#pools.size)) ?? []
    if (kind === 'resize') this.#resize(pool, 1 + (pick % MOST_PLACES))
    else this.#do(kind, worker, pool)
    assert.ok(this.#simulation.open <= this.#most, `${this.#simulation.open} connections are open after ${kind}`)
  }

  /** All have one total again, nothing new comes, and everything under way ends: then whoever waits is served. */
  end(): void {
    // Those that were told to end have ended by then.
    for (const worker of this.#simulation.workers.values()) if (!worker.connected) this.#doToWorker('kill', worker)
    for (const pool of this.#pools.keys()) pool.allowance.resize(this.#total)
    for (let round = 0; round < 500; round += 1) {
      this.happen(['settle', 0])
      mock.timers.tick(LATER)
      this.happen(['settle', 0])
      for (const pool of this.#pools.keys()) while (pool.finish()) this.happen(['settle', 0])
      if (this.#waiting === 0) return this.#endAlone()
    }
    assert.fail(`${this.#waiting} wait for ever`)
  }

  /** No place has been lost on the way: one that is left has all of them. */
  #endAlone(): void {
    const [last, ...others] = this.#pools.keys()
    for (const pool of others) this.#close(pool)
    last?.arrive(this.#total)
    this.happen(['settle', 0])
    mock.timers.tick(LATER)
    this.happen(['settle', 0])
    assert.equal(last?.busy ?? this.#total, this.#total)
  }

  get #waiting(): number {
    let waiting = 0
    for (const pool of this.#pools.keys()) waiting += pool.waiting
    return waiting
  }

  #do(kind: Exclude<Kind, 'resize'>, worker: SimulatedWorker | undefined, pool: PlainPool | undefined): void {
    switch (kind) {
      case 'arrive':
        return pool?.arrive()
      case 'burst':
        return pool?.arrive(7)
      case 'finish':
        return void pool?.finish()
      case 'settle':
        return this.#simulation.settle()
      case 'later':
        return mock.timers.tick(LATER / 10)
      case 'fork': {
        if (this.#simulation.workers.size >= MOST_WORKERS) return
        const [forked] = this.#simulation.fork()
        return forked === undefined ? undefined : this.#open(forked)
      }
      case 'close':
        return pool === undefined ? undefined : this.#close(pool)
    }
    if (worker !== undefined) this.#doToWorker(kind, worker)
  }

  #doToWorker(kind: Exclude<Kind, 'resize'>, worker: SimulatedWorker): void {
    switch (kind) {
      case 'hear':
        return void this.#simulation.step(worker, 'toWorker')
      case 'tell':
        return void this.#simulation.step(worker, 'toPrimary')
      case 'disconnect':
        // Without a word from a dealer it would rightly go on alone.
        return worker.connected && worker.hasHeard ? this.#simulation.disconnect(worker) : undefined
      case 'open':
        return worker.connected ? this.#open(worker) : undefined
      case 'kill':
        for (const pool of worker.pools) this.#pools.delete(pool)
        return this.#simulation.kill(worker)
    }
  }

  #resize(pool: PlainPool | undefined, total: number): void {
    this.#most = Math.max(this.#most, total)
    pool?.allowance.resize(total)
  }

  #open(worker: SimulatedWorker): void {
    this.#pools.set(worker.pool(KEY, this.#total, this.#keepAlive), worker)
  }

  /** As handlers close: after the last request. */
  #close(pool: PlainPool): void {
    if (pool.waiting > 0) return
    while (pool.finish());
    pool.idle = 0
    pool.allowance.close()
    this.#pools.delete(pool)
  }
}

describe('whatever happens in whatever order', () => {
  it('never are more connections open than the total, and nobody waits for ever', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: MOST_PLACES }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        fc.array(happening, { maxLength: 120, size: 'max' }),
        (total, workers, keepAlive, happenings) => {
          mock.timers.enable({ apis: ['setTimeout'] })
          try {
            const history = new History(total, workers, keepAlive)
            // Dealt, so that nobody goes on alone.
            history.happen(['settle', 0])
            for (const next of happenings) history.happen(next)
            history.end()
          } finally {
            mock.timers.reset()
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})
