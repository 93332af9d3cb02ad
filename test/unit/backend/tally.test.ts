import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Tally } from '../../../lib/backend/tally.ts'
import { FastCgiError } from '../../../lib/errors.ts'

function tallied(...durations: readonly number[]): Tally['status'] {
  const tally = new Tally()
  for (const duration of durations) tally.answer(duration)
  return tally.status
}

describe('Tally', () => {
  it('has nothing to tell at first', () => {
    const { latencyHistogram, ...others } = tallied()
    assert.deepEqual(others, { requests: 0, failures: 0, retries: 0, latency: null, lastErrors: [] })
    assert.deepEqual([latencyHistogram.sum, latencyHistogram.count], [0, 0])
    assert.ok(latencyHistogram.counts.every((count) => count === 0))
  })

  it('tells quantiles in milliseconds', () => {
    const durations = Array.from({ length: 101 }, (_, index) => 101 - index)
    assert.deepEqual(tallied(...durations).latency, { p50: 51, p95: 96, p99: 100 })
  })

  it('tells the quantiles of the last answers alone', () => {
    const { latency, requests } = tallied(...Array<number>(256).fill(1000), ...Array<number>(256).fill(2))
    assert.deepEqual(latency, { p50: 2, p95: 2, p99: 2 })
    assert.equal(requests, 512)
  })

  it('counts each answer in the one bucket that it belongs to, bounds included', () => {
    const { buckets } = tallied().latencyHistogram
    assert.ok(buckets.every((bound, index) => index === 0 || bound > (buckets[index - 1] ?? 0)))
    assert.deepEqual([buckets[0], buckets.at(-1)], [0.001, 60])
    for (const [index, bound] of buckets.entries()) {
      for (const duration of [bound * 1000, bound * 1000 - 0.1]) {
        const { counts } = tallied(duration).latencyHistogram
        assert.equal(counts[index], 1, `${duration} ms`)
        assert.equal(counts.length, buckets.length + 1)
      }
    }
    const beyond = tallied(60_001).latencyHistogram
    assert.equal(beyond.counts.at(-1), 1)
  })

  it('sums answers up in seconds', () => {
    const { sum, count, counts } = tallied(500, 1500, 0).latencyHistogram
    assert.deepEqual([sum, count], [2, 3])
    assert.equal(
      counts.reduce((all, one) => all + one, 0),
      3,
    )
  })

  it('keeps the last ten errors, without what only the log may know', () => {
    const tally = new Tally()
    for (let count = 1; count <= 12; count += 1) {
      const code = count === 12 ? 'ERR_FCGI_RESET' : 'ERR_FCGI_CONNECT'
      tally.failure(new FastCgiError(code, { detail: '/secret/path' }))
    }
    tally.retry()
    const { failures, retries, lastErrors } = tally.status
    assert.deepEqual([failures, retries, lastErrors.length], [12, 1, 10])
    assert.deepEqual(lastErrors.at(-1)?.code, 'ERR_FCGI_RESET')
    assert.deepEqual(lastErrors[8]?.message, 'The FastCGI backend cannot be reached')
    assert.ok(Math.abs(Date.now() - (lastErrors[9]?.time ?? 0)) < 60_000)
    assert.doesNotMatch(JSON.stringify(lastErrors), /secret/)
  })

  it('gives a snapshot that does not change', () => {
    const tally = new Tally()
    tally.answer(1)
    const before = tally.status
    tally.answer(1)
    tally.failure(new FastCgiError('ERR_FCGI_RESET'))
    assert.deepEqual([before.latencyHistogram.counts[0], before.lastErrors.length], [1, 0])
  })
})
