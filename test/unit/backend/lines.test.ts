import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Lines } from '../../../lib/backend/lines.ts'
import { parseAddress } from '../../../lib/client/address.ts'
import type { Connection } from '../../../lib/client/connection.ts'
import { encodeClientRequest } from '../../../lib/client/encoded-request.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { RecordedAnswer } from '../../support/recorded-answer.ts'
import { type Fake, startFake } from '../../support/responder.ts'

const ENCODED = encodeClientRequest({ params: new Map([['A', 'b']]), stdin: null, keepConnection: true })
const TIMEOUTS = { connectTimeout: 30_000, sendTimeout: 30_000, readTimeout: 30_000 }

interface Scene {
  readonly lines: Lines
  /** Of each connection that has closed, whether the lines knew it as idle. */
  readonly closed: boolean[]
  /** A connection that was used once and is idle now; it is not kept yet. */
  use(connection: Connection | null): Promise<Connection>
  /** Lets seconds pass for what is at hand, not for generic-pool. */
  tick(seconds: number): Promise<void>
}

async function withLines(t: TestContext, use: (scene: Scene) => Promise<void>): Promise<void> {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const fake: Fake = await startFake((request) => request.answer('\r\n'))
  const closed: boolean[] = []
  const ignore = (): void => undefined
  const observer = {
    connectionWaits: ignore,
    connectionAnswers: ignore,
    connectionClosed: (connection: Connection) => void closed.push(lines.closed(connection)),
  }
  const options = { address: parseAddress(fake.address), maxRequests: 100, idleTimeout: 30_000 }
  const lines: Lines = new Lines(options, observer)
  await use({
    lines,
    closed,
    async use(connection) {
      assert.ok(connection !== null)
      const answer = new RecordedAnswer()
      connection.send(ENCODED, TIMEOUTS, answer)
      await answer.over
      connection.release()
      return connection
    },
    async tick(seconds) {
      t.mock.timers.tick(1000 * seconds)
      await turn()
    },
  })
  for (let { oldest } = lines; oldest !== null; { oldest } = lines) oldest.close('shutdown')
  await lines.drain()
  await fake.stop()
}

describe('Lines', { timeout: 30_000 }, () => {
  staysQuiet()

  it('have generic-pool make the first connection, and give an idle one at once', (t) =>
    withLines(t, async ({ lines, use }) => {
      assert.equal(lines.take(), null)
      const first = await use(await lines.acquire())
      lines.keep(first)
      assert.deepEqual([lines.idle, lines.oldest], [1, first])
      assert.equal(lines.take(), first)
      assert.deepEqual([lines.idle, lines.oldest], [0, null])
      first.close('not kept')
    }))

  it('give a new connection at once in the stead of one that was not kept', (t) =>
    withLines(t, async ({ lines, closed, use }) => {
      const first = await use(await lines.acquire())
      first.close('not kept')
      const second = lines.take()
      assert.deepEqual([second?.state, lines.take()], ['new', null], 'one line, one connection')
      await use(second)
      second?.close('not kept')
      assert.deepEqual(closed, [false, false])
    }))

  it('give idle connections before new ones, also those that generic-pool has', (t) =>
    withLines(t, async ({ lines, use, tick }) => {
      const [kept, other] = [await use(await lines.acquire()), await use(await lines.acquire())]
      lines.keep(kept)
      await tick(2)
      other.close('not kept')
      assert.deepEqual([lines.idle, lines.oldest, lines.take()], [1, kept, null])
      assert.equal(await lines.acquire(), kept)
      kept.close('not kept')
    }))

  it('know the idle ones that generic-pool has as the oldest, and tell when one of either kind has closed', (t) =>
    withLines(t, async ({ lines, closed, use, tick }) => {
      const [early, late] = [await use(await lines.acquire()), await use(await lines.acquire())]
      lines.keep(early)
      await tick(2)
      lines.keep(late)
      assert.equal(lines.oldest, early)
      early.close('given up')
      assert.equal(lines.oldest, late)
      late.close('given up')
      assert.deepEqual([closed, lines.idle], [[true, true], 0])
    }))

  it('give up lines without a connection that are not needed for a while', (t) =>
    withLines(t, async ({ lines, use, tick }) => {
      const first = await use(await lines.acquire())
      first.close('not kept')
      await tick(2)
      assert.equal(lines.take(), null)
    }))
})
