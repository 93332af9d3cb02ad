import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatPair } from '../../../lib/protocol/name-value.ts'
import { PairText, type Parameters } from '../../../lib/protocol/pair-text.ts'

type Pairs = readonly (readonly [name: string, value: string])[]

function parameters(pairs: Pairs): Parameters {
  return {
    forEach(callback) {
      for (const [name, value] of pairs) callback(value, name)
    },
  }
}

function formatted(pairs: Pairs): string {
  return pairs.map((pair) => formatPair(...pair)).join('')
}

const name = fc.constantFrom('A', 'B', 'AB')
const value = fc.oneof(
  fc.constantFrom('', '1', '12'),
  fc.constantFrom(127, 128, 65_530, 65_540).map((n) => 'v'.repeat(n)),
)

test('formats each request as if it were the only one, whatever came before', () => {
  const requests = fc.array(fc.array(fc.tuple(name, value), { maxLength: 5 }), { maxLength: 6 })
  fc.assert(
    fc.property(requests, (all) => {
      const text = new PairText()
      for (const pairs of all) assert.equal(text.format(parameters(pairs)), formatted(pairs))
    }),
    { numRuns: 2000 },
  )
})

test('takes over nothing of a request whose formatting was broken off', () => {
  const whole: Pairs = [
    ['A', '1'],
    ['B', 'secret'],
    ['C', '3'],
  ]
  const next: Pairs = [
    ['A', '1'],
    ['B', 'other'],
    ['C', '3'],
  ]
  for (const broken of [0, 1, 2, 3]) {
    const text = new PairText()
    text.format(parameters(whole))
    assert.throws(() =>
      text.format({
        forEach(callback) {
          parameters(next.slice(0, broken)).forEach(callback)
          throw new Error('no memory')
        },
      }),
    )
    assert.equal(text.format(parameters(next)), formatted(next), `after ${broken} pairs`)
    assert.equal(text.format(parameters(whole)), formatted(whole))
  }
})
