import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { channels } from '../../lib/diagnostics.ts'

const NAMES = {
  requestStart: 'express-fastcgi:request:start',
  requestHead: 'express-fastcgi:request:head',
  requestEnd: 'express-fastcgi:request:end',
  requestError: 'express-fastcgi:request:error',
  connectionOpen: 'express-fastcgi:connection:open',
  connectionClose: 'express-fastcgi:connection:close',
  poolWait: 'express-fastcgi:pool:wait',
  backendAttempt: 'express-fastcgi:backend:attempt',
  backendRetry: 'express-fastcgi:backend:retry',
  backendDown: 'express-fastcgi:backend:down',
  backendUp: 'express-fastcgi:backend:up',
}

describe('the diagnostics channels', () => {
  it('are called express-fastcgi, noun, event', () => {
    const names = Object.fromEntries(Object.entries(channels).map(([key, channel]) => [key, channel.name]))
    assert.deepEqual(names, NAMES)
  })

  it('tell whether anyone listens, and reach whoever does by their name', () => {
    const heard: unknown[] = []
    const listener = (message: unknown): void => {
      heard.push(message)
    }
    assert.equal(channels.poolWait.hasSubscribers, false)
    subscribe(NAMES.poolWait, listener)
    assert.equal(channels.poolWait.hasSubscribers, true)
    channels.poolWait.publish({ request: 1, location: 'php', waiting: 2 })
    unsubscribe(NAMES.poolWait, listener)
    assert.equal(channels.poolWait.hasSubscribers, false)
    assert.deepEqual(heard, [{ request: 1, location: 'php', waiting: 2 }])
  })
})
