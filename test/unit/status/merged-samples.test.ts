import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mergeSamples } from '../../../lib/status/merged-samples.ts'

describe('mergeSamples', () => {
  it('leaves samples alone where there are no more than points', () => {
    const { times, peaks } = mergeSamples([7, 8, 9], { span: 3, points: 3 })
    assert.deepEqual(times, [7, 8, 9])
    assert.deepEqual(peaks([1, null, 3]), [1, null, 3])
  })

  it('keeps the peak of those that are one, the time of the last of them, and both ends', () => {
    const { times, peaks } = mergeSamples([1, 2, 10, 12, 14, 21, 22], { span: 20, points: 3 })
    assert.deepEqual(times, [1, 14, 22])
    assert.deepEqual(peaks([5, 0, 1, 9, 2, 3, 4]), [5, 9, 4])
  })

  it('has a gap only where nothing is at all', () => {
    const { peaks } = mergeSamples([0, 1, 10, 11], { span: 10, points: 2 })
    assert.deepEqual(peaks([null, 0, null, null]), [0, null])
  })

  it('leaves no more than the points of a span, wherever that begins', () => {
    for (let start = 0; start < 40; start += 1) {
      const times = Array.from({ length: 150 }, (_, index) => start + index * 2)
      assert.ok(mergeSamples(times, { span: 300, points: 15 }).times.length <= 15)
    }
  })

  it('keeps its peaks in place while samples come and go', () => {
    const samples = Array.from({ length: 100 }, (_, index) => ({ time: index * 2, value: index % 17 }))
    const drawn = (from: number): string[] => {
      const part = samples.slice(from, from + 50)
      const { times, peaks } = mergeSamples(
        part.map(({ time }) => time),
        { span: 100, points: 11 },
      )
      const values = peaks(part.map(({ value }) => value))
      return times.map((time, index) => `${time}: ${values[index]}`)
    }
    // The outermost are about to leave and still growing.
    assert.deepEqual(drawn(3).slice(2, -1), drawn(4).slice(2, -1))
  })
})
