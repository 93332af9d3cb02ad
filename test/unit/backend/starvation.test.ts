import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { StarvationGuard } from '../../../lib/backend/starvation.ts'
import { Connection } from '../../../lib/client/connection.ts'

/** Only its identity counts here. */
function connection(): Connection {
  const ignore = (): void => undefined
  return new Connection(
    { kind: 'unix', path: '/nowhere' },
    { connectionWaits: ignore, connectionAnswers: ignore, connectionClosed: ignore },
  )
}

describe('StarvationGuard', () => {
  let clock = 0
  let idle = 0
  let asked: number[] = []
  let guard = new StarvationGuard(() => 0)

  const pass = (milliseconds: number): void => {
    for (let at = 0; at < milliseconds; at += 10) {
      clock += 10
      mock.timers.tick(10)
    }
  }

  beforeEach(() => {
    clock = 0
    idle = 0
    asked = []
    mock.method(performance, 'now', () => clock)
    mock.timers.enable({ apis: ['setInterval'] })
    guard = new StarvationGuard((most) => {
      asked.push(most)
      const closed = Math.min(most, idle)
      idle -= closed
      return closed
    })
  })
  afterEach(() => {
    mock.timers.reset()
    mock.restoreAll()
  })

  it('asks for nothing while every new connection is answered in time', () => {
    for (let count = 0; count < 10; count += 1) {
      const one = connection()
      guard.waits(one)
      pass(40)
      guard.served(one)
    }
    pass(1000)
    assert.deepEqual(asked, [])
    assert.equal(guard.claims(), false)
  })

  it('gives one idle connection up for each that waits in vain', () => {
    idle = 5
    guard.waits(connection())
    guard.waits(connection())
    pass(50)
    assert.deepEqual(asked, [2])
    assert.equal(idle, 3)
    assert.equal(guard.claims(), false)
  })

  it('claims as many that could be kept as there were idle ones too few', () => {
    idle = 1
    for (let count = 0; count < 3; count += 1) guard.waits(connection())
    pass(50)
    assert.deepEqual([guard.claims(), guard.claims(), guard.claims()], [true, true, false])
  })

  it('looks again as long as one waits, and forgives the debt when none does', () => {
    const one = connection()
    guard.waits(one)
    pass(100)
    assert.deepEqual(asked, [1, 1])
    guard.served(one)
    assert.equal(guard.claims(), false)
    pass(1000)
    assert.deepEqual(asked, [1, 1])
  })

  it('counts only those that have waited for long enough', () => {
    const old = connection()
    guard.waits(old)
    pass(40)
    guard.waits(connection())
    pass(10)
    assert.deepEqual(asked, [1])
    pass(50)
    assert.deepEqual(asked, [1, 2])
    guard.served(old)
    pass(50)
    assert.deepEqual(asked, [1, 2, 1])
  })

  it('starts anew after a rest, and does not mind a connection that it does not know', () => {
    const one = connection()
    guard.served(one)
    guard.waits(one)
    guard.served(one)
    guard.served(one)
    pass(200)
    guard.waits(one)
    pass(50)
    assert.deepEqual(asked, [1])
  })
})
