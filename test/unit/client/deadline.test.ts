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
