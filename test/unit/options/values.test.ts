import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  formatDuration,
  formatFlag,
  formatSize,
  isDuration,
  parseCount,
  parseDuration,
  parseFlag,
  parseSize,
  showValue,
} from '../../../lib/options/values.ts'

describe('values', () => {
  const cases: ReadonlyArray<readonly [(text: string) => unknown, string, unknown]> = [
    [parseFlag, 'On', true],
    [parseFlag, 'oFF', false],
    [parseFlag, 'yes', undefined],
    [parseFlag, '', undefined],
    [parseCount, '12', 12],
    [parseCount, '12abc', undefined],
    [parseCount, '-1', undefined],
    [parseCount, '1.5', undefined],
    [parseCount, '99999999999999999999', undefined],
    [parseSize, '10', 10],
    [parseSize, '10k', 10_240],
    [parseSize, '1M', 1_048_576],
    [parseSize, '1g', 1_073_741_824],
    [parseSize, '1kb', undefined],
    [parseSize, '1 k', undefined],
    [parseSize, 'k', undefined],
    [parseSize, '9999999999999g', undefined],
    [parseDuration, '30', 30_000],
    [parseDuration, '500ms', 500],
    [parseDuration, '5s', 5000],
    [parseDuration, '2m', 120_000],
    [parseDuration, '1H', 3_600_000],
    [parseDuration, '1d', undefined],
    [parseDuration, '25000000ms', 25_000_000],
    [parseDuration, '600h', undefined],
  ]
  for (const [parse, text, value] of cases) {
    it(`${parse.name} reads ${JSON.stringify(text)} as ${String(value)}`, () => assert.equal(parse(text), value))
  }

  it('formats what it parses', () => {
    for (const text of ['0', '1', '10k', '3m', '1g', '1025']) assert.equal(formatSize(parseSize(text) ?? -1), text)
    for (const text of ['0', '1ms', '1500ms', '5s', '2m', '1h', '90m']) {
      assert.equal(formatDuration(parseDuration(text) ?? -1), text)
    }
    for (const flag of [true, false]) assert.equal(parseFlag(formatFlag(flag)), flag)
  })

  it('knows the longest delay of a timer', () => {
    assert.equal(isDuration(2 ** 31 - 1), true)
    assert.equal(isDuration(2 ** 31), false)
    assert.equal(isDuration(-1), false)
    assert.equal(isDuration(Number.NaN), false)
  })

  it('shows any value in a message', () => {
    const circle: unknown[] = []
    circle.push(circle)
    const shown = [null, undefined, 'a"b', 1n, Symbol('s'), () => 1, { a: 1 }, /x/, circle, Object.create(null)].map(
      showValue,
    )
    assert.deepEqual(shown, [
      'null',
      'undefined',
      '"a\\"b"',
      '1',
      'Symbol(s)',
      'a function',
      'an object',
      '/x/',
      '[an array]',
      'an object',
    ])
    assert.equal(showValue('x'.repeat(500)).length, 81)
  })
})
