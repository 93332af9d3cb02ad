import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Sampler } from '../../../lib/status/sampler.ts'
import { gatewayOf } from './gateway.ts'

describe('Sampler', () => {
  it('looks at once and then in its interval, until the gateway is closed', ({ mock }) => {
    mock.timers.enable({ apis: ['setInterval'] })
    const closing = new AbortController()
    const { history } = new Sampler(gatewayOf(), { interval: 2000, closed: closing.signal })
    assert.equal(history.times.length, 1)
    mock.timers.tick(5999)
    assert.equal(history.times.length, 3)
    closing.abort()
    mock.timers.tick(60_000)
    assert.equal(history.times.length, 3)
  })

  it('remembers five minutes', ({ mock }) => {
    mock.timers.enable({ apis: ['setInterval'] })
    const { history } = new Sampler(gatewayOf(), { interval: 2000, closed: new AbortController().signal })
    mock.timers.tick(2000 * 1000)
    assert.equal(history.times.length, 150)
  })

  it('does not begin for a gateway that is closed', ({ mock }) => {
    mock.timers.enable({ apis: ['setInterval'] })
    const { history } = new Sampler(gatewayOf(), { interval: 2000, closed: AbortSignal.abort() })
    mock.timers.tick(10_000)
    assert.equal(history.times.length, 1)
  })

  it('keeps no process alive', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const closing = new AbortController()
    new Sampler(gatewayOf(), { interval: 60_000, closed: closing.signal })
    const after = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    closing.abort()
    assert.equal(after, before)
  })
})
