import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { eventually } from './eventually.ts'

/** What a forgotten socket or timer shows up as; the runner itself has others come and go. */
const KINDS = new Set(['PipeConnectWrap', 'PipeWrap', 'TCPConnectWrap', 'TCPServerWrap', 'TCPSocketWrap', 'Timeout'])

function held(): string {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => KINDS.has(kind))
    .sort()
    .join(' ')
}

/**
 * For the whole file: no rejection goes unhandled, nothing is warned of (leaked listeners), and no socket and no timer that
 * keeps the process alive outlives the tests.
 */
export function staysQuiet(): void {
  const noise: unknown[] = []
  const note = (what: unknown): void => {
    noise.push(what)
  }
  const noteWarning = (warning: Error): void => {
    if (warning.name !== 'ExperimentalWarning') noise.push(warning)
  }
  let start = ''
  before(() => {
    process.on('unhandledRejection', note)
    process.on('uncaughtExceptionMonitor', note)
    process.on('warning', noteWarning)
    start = held()
  })
  after(async () => {
    let now = ''
    await eventually('sockets and timers are back to what they were', () => {
      now = held()
      return now === start
    }).catch(() => assert.equal(now, start))
    process.off('unhandledRejection', note)
    process.off('uncaughtExceptionMonitor', note)
    process.off('warning', noteWarning)
    assert.deepEqual(noise, [])
  })
}
