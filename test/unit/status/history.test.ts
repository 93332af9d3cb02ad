import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backendKey, History } from '../../../lib/status/history.ts'
import { backendStatus } from './gateway.ts'

const latency = (p50: number): { p50: number; p95: number; p99: number } => ({ p50, p95: p50 * 2, p99: p50 * 3 })
const key = backendKey(backendStatus())

describe('History', () => {
  it('keeps the last samples and forgets the oldest', () => {
    const history = new History(3)
    for (let time = 1; time <= 5; time += 1) history.record([backendStatus({ busy: time })], time)
    assert.deepEqual(history.times, [3, 4, 5])
    assert.deepEqual(history.seriesOf(key).busy, [3, 4, 5])
  })

  it('takes rates from the difference of two samples', () => {
    const history = new History(9)
    history.record([backendStatus({ requests: 10, failures: 1 })], 0)
    history.record([backendStatus({ requests: 30, failures: 1 })], 2000)
    history.record([backendStatus({ requests: 31, failures: 5 })], 4000)
    const { requestsPerSecond, failuresPerSecond } = history.seriesOf(key)
    assert.deepEqual(requestsPerSecond, [null, 10, 0.5])
    assert.deepEqual(failuresPerSecond, [null, 0, 2])
  })

  it('counts from nothing where a backend left and came back', () => {
    const history = new History(9)
    history.record([backendStatus({ requests: 100 })], 0)
    history.record([backendStatus({ requests: 4 })], 2000)
    assert.deepEqual(history.seriesOf(key).requestsPerSecond, [null, 2])
  })

  it('has a gap where a backend was not there', () => {
    const history = new History(9)
    const other = backendStatus({ address: '127.0.0.1:9001', open: 1 })
    history.record([backendStatus({ open: 3 }), other], 0)
    history.record([other], 1)
    history.record([backendStatus({ open: 5, requests: 9 })], 2)
    const { open, requestsPerSecond } = history.seriesOf(key)
    assert.deepEqual(open, [3, null, 5])
    assert.deepEqual(requestsPerSecond, [null, null, null])
    assert.deepEqual(history.seriesOf(backendKey(other)).open, [1, 1, null])
    assert.deepEqual(history.seriesOf('nobody').open, [null, null, null])
  })

  it('tells no latency of a time in which nothing was answered', () => {
    const history = new History(9)
    history.record([backendStatus()], 0)
    history.record([backendStatus({ requests: 1, latency: latency(5) })], 1)
    history.record([backendStatus({ requests: 1, latency: latency(5) })], 2)
    history.record([backendStatus({ requests: 2, latency: latency(7) })], 3)
    const { p50, p99 } = history.seriesOf(key)
    assert.deepEqual(p50, [null, 5, null, 7])
    assert.deepEqual(p99, [null, 15, null, 21])
  })

  it('takes the rates of now over the last ten seconds', () => {
    const history = new History(9)
    history.record([backendStatus({ requests: 0 })], 0)
    history.record([backendStatus({ requests: 1000, failures: 2 })], 5000)
    const now = backendStatus({ requests: 1080, failures: 10 })
    assert.deepEqual(history.ratesOf(now, 13_000), { requestsPerSecond: 10, failuresPerSecond: 1 })
    assert.deepEqual(history.ratesOf(now, 10_000).requestsPerSecond, 108)
  })

  it('has no rates before there is anything to compare with', () => {
    const none = { requestsPerSecond: 0, failuresPerSecond: 0 }
    const history = new History(9)
    assert.deepEqual(history.ratesOf(backendStatus({ requests: 5 }), 1000), none)
    history.record([backendStatus({ requests: 5 })], 1000)
    assert.deepEqual(history.ratesOf(backendStatus({ requests: 6 }), 1000), none)
    assert.deepEqual(history.ratesOf(backendStatus({ requests: 6, server: 'new' }), 2000), none)
  })
})
