import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatCount, formatDuration, formatMilliseconds, formatRate } from '../../../lib/status/quantity.ts'

/** Narrow spaces that do not break, as a test can be read. */
function plain(text: string): string {
  return text.replaceAll('\u202f', ' ')
}

describe('quantities for people', () => {
  const rows: readonly (readonly [string, string])[] = [
    [formatCount(0), '0'],
    [formatCount(999), '999'],
    [formatCount(1000), '1 000'],
    [formatCount(1_234_567.4), '1 234 567'],
    [formatRate(0), '0'],
    [formatRate(0.01), '< 0.1'],
    [formatRate(0.1), '0.1'],
    [formatRate(9.94), '9.9'],
    [formatRate(12.6), '13'],
    [formatMilliseconds(null), '–'],
    [formatMilliseconds(0.04), '0.0 ms'],
    [formatMilliseconds(9.94), '9.9 ms'],
    [formatMilliseconds(9.96), '10 ms'],
    [formatMilliseconds(999.4), '999 ms'],
    [formatMilliseconds(999.6), '1.0 s'],
    [formatMilliseconds(61_000), '61 s'],
    [formatDuration(-1), '0 s'],
    [formatDuration(0.9), '0 s'],
    [formatDuration(59.9), '59 s'],
    [formatDuration(60), '1 min'],
    [formatDuration(3_599), '59 min 59 s'],
    [formatDuration(3_601), '1 h'],
    [formatDuration(90_000), '1 d 1 h'],
  ]
  for (const [text, expected] of rows) it(`reads ${expected}`, () => assert.equal(plain(text), expected))
})
