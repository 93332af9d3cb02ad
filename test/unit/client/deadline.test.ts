import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { Deadline } from '../../../lib/client/deadline.ts'

describe('Deadline', () => {
  let expired: string[] = []
  const note = (what: string) => (): void => {
    expired.push(what)
  }

  beforeEach(() => {
    expired = []
    mock.timers.enable({ apis: ['setTimeout'] })
  })
  afterEach(() => mock.timers.reset())

  it('calls once when the time is over', () => {
    new Deadline().arm(10, note('a'))
    mock.timers.tick(9)
    assert.deepEqual(expired, [])
    mock.timers.tick(1)
    mock.timers.tick(100)
    assert.deepEqual(expired, ['a'])
  })

  it('never calls for 0', () => {
    new Deadline().arm(0, note('a'))
    mock.timers.tick(1e9)
    assert.deepEqual(expired, [])
  })

  it('holds one wait at most: arming again replaces, even by 0', () => {
    const deadline = new Deadline()
    deadline.arm(10, note('a'))
    deadline.arm(20, note('b'))
    mock.timers.tick(15)
    assert.deepEqual(expired, [])
    mock.timers.tick(5)
    assert.deepEqual(expired, ['b'])
    deadline.arm(10, note('c'))
    deadline.arm(0, note('d'))
    mock.timers.tick(100)
    assert.deepEqual(expired, ['b'])
  })

  it('is cleared for good, and twice as well', () => {
    const deadline = new Deadline()
    deadline.arm(10, note('a'))
    deadline.clear()
    deadline.clear()
    deadline.refresh()
    mock.timers.tick(100)
    assert.deepEqual(expired, [])
  })

  for (const [milliseconds, ticks] of [
    [5000, 51],
    [5001, 52],
    [60_000, 601],
  ] as const) {
    it(`counts ${milliseconds} ms in ticks, and is late rather than early`, () => {
      mock.timers.reset()
      mock.timers.enable({ apis: ['setInterval'] })
      new Deadline().arm(milliseconds, note('a'))
      mock.timers.tick((ticks - 1) * 100)
      assert.deepEqual(expired, [])
      mock.timers.tick(100)
      assert.deepEqual(expired, ['a'])
      mock.timers.tick(100_000)
      assert.deepEqual(expired, ['a'])
    })
  }

  it('starts a long wait anew, replaces and clears it', () => {
    mock.timers.reset()
    mock.timers.enable({ apis: ['setInterval'] })
    const deadlines = ['refreshed', 'replaced', 'cleared', 'left alone'].map((what) => {
      const deadline = new Deadline()
      deadline.arm(6000, note(what))
      return deadline
    })
    const [refreshed, replaced, cleared] = deadlines
    mock.timers.tick(4000)
    cleared?.clear()
    cleared?.refresh()
    replaced?.arm(10_000, note('instead'))
    refreshed?.refresh()
    mock.timers.tick(2200)
    assert.deepEqual(expired, ['left alone'])
    mock.timers.tick(4000)
    assert.deepEqual(expired, ['left alone', 'refreshed'])
    mock.timers.tick(4000)
    assert.deepEqual(expired, ['left alone', 'refreshed', 'instead'])
    refreshed?.refresh()
    mock.timers.tick(100_000)
    assert.equal(expired.length, 3)
  })

  it('clears another one that is over at the same time, and goes on behind one that throws', () => {
    mock.timers.reset()
    mock.timers.enable({ apis: ['setInterval'] })
    const [first, second, third, fourth] = Array.from({ length: 4 }, () => new Deadline())
    first?.arm(6000, () => {
      expired.push('first')
      second?.clear()
    })
    second?.arm(6000, note('second'))
    third?.arm(6000, () => {
      throw new Error('of the listener')
    })
    fourth?.arm(6000, note('fourth'))
    assert.throws(() => mock.timers.tick(6100), /of the listener/)
    mock.timers.tick(100)
    assert.deepEqual(expired, ['first', 'fourth'])
    mock.timers.tick(100)
  })

  it('keeps the process alive while something waits, and no longer', () => {
    mock.timers.reset()
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const [one, other] = [new Deadline(), new Deadline()]
    for (const _ of [1, 2]) {
      one.arm(60_000, note('one'))
      other.arm(60_000, note('other'))
      one.clear()
      assert.equal(timers(), before + 1)
      other.clear()
      assert.equal(timers(), before)
    }
  })

  it('starts anew when refreshed', async () => {
    // On the real clock: the runner's timers do not refresh. Only the order counts.
    mock.timers.reset()
    const first = new Deadline()
    first.refresh()
    const both = new Promise<void>((resolve) => {
      const end = (what: string) => (): void => {
        expired.push(what)
        if (expired.length === 2) resolve()
      }
      first.arm(30, end('refreshed'))
      new Deadline().arm(30, end('not refreshed'))
    })
    setTimeout(() => first.refresh(), 10)
    await both
    assert.deepEqual(expired, ['not refreshed', 'refreshed'])
  })
})
