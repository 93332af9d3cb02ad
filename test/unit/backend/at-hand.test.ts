import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { AtHand } from '../../../lib/backend/at-hand.ts'
import { Connection } from '../../../lib/client/connection.ts'

const ignore = (): void => undefined

function connections(count: number): Connection[] {
  const observer = { connectionWaits: ignore, connectionAnswers: ignore, connectionClosed: ignore }
  return Array.from({ length: count }, () => new Connection({ kind: 'unix', path: '/nowhere' }, observer))
}

/** With an interval of a second; `tick` lets so many pass. */
function handFor(t: TestContext): { hand: AtHand<Connection>; back: Connection[]; tick: (seconds: number) => void } {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const back: Connection[] = []
  return {
    hand: new AtHand<Connection>(1000, (connection) => back.push(connection)),
    back,
    tick: (seconds) => t.mock.timers.tick(1000 * seconds),
  }
}

describe('AtHand', () => {
  it('gives the connection that was put last, and null where there is none', (t) => {
    const { hand } = handFor(t)
    const [a, b] = connections(2) as [Connection, Connection]
    hand.put(a)
    hand.put(b)
    assert.deepEqual([hand.take(), hand.take(), hand.take()], [b, a, null])
  })

  it('hands back what was not needed for a whole interval, and nothing earlier', (t) => {
    const { hand, back, tick } = handFor(t)
    const [a] = connections(1) as [Connection]
    hand.put(a)
    tick(1)
    assert.deepEqual(back, [], 'it may have been put a moment ago')
    tick(1)
    assert.deepEqual(back, [a])
    assert.equal(hand.take(), null)
  })

  it('keeps those that are needed now and then, and hands back those below', (t) => {
    const { hand, back, tick } = handFor(t)
    const [a, b, c] = connections(3) as [Connection, Connection, Connection]
    for (const one of [a, b, c]) hand.put(one)
    tick(1)
    assert.equal(hand.take(), c)
    hand.put(c)
    tick(1)
    assert.deepEqual(back, [a, b])
    assert.equal(hand.take(), c)
  })

  it('takes out one that has closed, wherever it lies, and knows no other', (t) => {
    const { hand, back, tick } = handFor(t)
    const [a, b, c] = connections(3) as [Connection, Connection, Connection]
    for (const one of [a, b]) hand.put(one)
    tick(1)
    assert.equal(hand.remove(c), false)
    hand.put(c)
    assert.deepEqual([hand.remove(a), hand.remove(a)], [true, false])
    tick(1)
    assert.deepEqual(back, [b], 'and not the one that was put a moment ago')
  })
})
