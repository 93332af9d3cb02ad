import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { type PlainPool, SimulatedWorker } from './simulation.ts'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

/** A pool whose dealer is the test. */
class Dealt {
  readonly worker: SimulatedWorker = new SimulatedWorker(1)
  readonly pool: PlainPool
  readonly #holder: string

  constructor(keepAlive = false) {
    this.pool = this.worker.pool('/run/php.sock', 9, keepAlive)
    const join = this.worker.toPrimary.shift()
    this.#holder = join !== undefined && 'holder' in join ? join.holder : ''
  }

  hear(type: 'grant' | 'deny' | 'recall' | 'ask', places: number): void {
    this.worker.hear({ type: `express-fastcgi:${type}`, holder: this.#holder, places })
  }

  /** What it has said since the last time. */
  get said(): string[] {
    return this.worker.toPrimary
      .splice(0)
      .map((message) => `${message.type.slice('express-fastcgi:'.length)} ${'places' in message ? message.places : ''}`)
  }
}

describe('DealtAllowance', () => {
  it('asks for nothing before its first grant, then for who still waits', () => {
    const dealt = new Dealt()
    dealt.pool.arrive(5)
    assert.deepEqual(dealt.said, [])
    dealt.hear('grant', 2)
    assert.deepEqual([dealt.said, dealt.pool.busy], [['want 3'], 2])
  })

  it('asks at once when the first grant is of nothing', () => {
    const dealt = new Dealt()
    dealt.pool.arrive(5)
    dealt.hear('grant', 0)
    assert.deepEqual(dealt.said, ['want 5'])
  })

  it('asks again for twice as many at the earliest, for those alone that it has not asked for', () => {
    const dealt = new Dealt()
    dealt.hear('grant', 1)
    dealt.pool.arrive(9)
    assert.deepEqual(dealt.said, ['want 1', 'want 1', 'want 2', 'want 4'])
    dealt.hear('grant', 3)
    assert.deepEqual([dealt.said, dealt.pool.busy], [[], 4])
  })

  it('asks after a denial when a moment has passed, if somebody waits still', () => {
    const dealt = new Dealt()
    dealt.hear('grant', 1)
    dealt.pool.arrive(2)
    assert.deepEqual(dealt.said, ['want 1'])
    dealt.hear('deny', 1)
    dealt.pool.arrive(5)
    assert.deepEqual(dealt.said, [])
    mock.timers.tick(100)
    assert.deepEqual(dealt.said, ['want 6'])
    dealt.hear('deny', 6)
    while (dealt.pool.finish());
    mock.timers.tick(100)
    assert.deepEqual(dealt.said, [])
  })

  it('does not wait out a denial when its last place is recalled', () => {
    const dealt = new Dealt()
    dealt.hear('grant', 1)
    dealt.pool.arrive(2)
    dealt.hear('deny', 1)
    assert.deepEqual(dealt.said, ['want 1'])
    dealt.hear('recall', 1)
    assert.deepEqual(dealt.said, ['want 1'])
  })

  it('gives back what was recalled when its connections have closed, idle ones now, busy ones later', () => {
    const dealt = new Dealt(true)
    dealt.hear('grant', 4)
    dealt.pool.arrive(3)
    dealt.pool.finish()
    dealt.hear('recall', 3)
    assert.deepEqual([dealt.said, dealt.pool.open, dealt.pool.allowance.limit], [['give 2'], 2, 1])
    dealt.pool.finish()
    assert.deepEqual([dealt.said, dealt.pool.open], [['give 1'], 1])
    dealt.pool.finish()
    assert.deepEqual([dealt.said, dealt.pool.idle], [[], 1])
  })

  it('settles what it owes out of a grant', () => {
    const dealt = new Dealt(true)
    dealt.hear('grant', 1)
    dealt.pool.arrive(1)
    dealt.hear('recall', 1)
    assert.deepEqual(dealt.said, [])
    dealt.hear('grant', 1)
    assert.deepEqual(dealt.said, ['give 1'])
    dealt.pool.finish()
    assert.deepEqual([dealt.said, dealt.pool.idle], [[], 1])
  })

  it('gives no more than it has', () => {
    const dealt = new Dealt()
    dealt.hear('grant', 2)
    dealt.hear('recall', 5)
    assert.deepEqual([dealt.said, dealt.pool.allowance.limit], [['give 2'], 0])
  })

  for (const [places, busy, spare] of [
    [9, 0, 4],
    [9, 4, 3],
    [9, 9, 0],
    [3, 0, 1],
    [2, 0, 1],
    [1, 0, 0],
    [0, 0, 0],
  ] as const) {
    it(`spares ${spare} of ${places} of which ${busy} are busy`, () => {
      const dealt = new Dealt()
      dealt.hear('grant', places)
      dealt.pool.arrive(busy)
      dealt.hear('ask', 9)
      assert.deepEqual(dealt.said, spare === 0 ? ['spare 0'] : [`spare ${spare}`, `give ${spare}`])
      assert.equal(dealt.pool.allowance.limit, places - spare)
    })
  }

  it('spares no more than it is asked for', () => {
    const dealt = new Dealt()
    dealt.hear('grant', 9)
    dealt.hear('ask', 2)
    assert.deepEqual(dealt.said, ['spare 2', 'give 2'])
  })

  it('is deaf and dumb once it is closed', () => {
    const dealt = new Dealt()
    dealt.hear('grant', 2)
    dealt.pool.arrive(5)
    dealt.hear('deny', 3)
    dealt.pool.allowance.close()
    assert.deepEqual(dealt.said, ['want 1', 'want 1', 'leave '])
    mock.timers.tick(100)
    dealt.pool.allowance.want()
    dealt.pool.allowance.released()
    dealt.pool.allowance.resize(3)
    dealt.hear('grant', 2)
    assert.deepEqual([dealt.said, dealt.pool.allowance.limit], [[], 0])
  })
})
