import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FastCgiError } from '../../lib/errors.ts'
import { encodePairs } from '../../lib/protocol/encoder.ts'
import { decodePairs } from '../../lib/protocol/name-value.ts'

/** Byte strings: what a parameter is on the wire. */
const bytes = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array).toString('latin1'))

const text = fc.oneof(
  bytes(10),
  bytes(140),
  fc.nat({ max: 70_000 }).map((length) => 'x'.repeat(length)),
)

describe('decodePairs', () => {
  it('gives back whatever encodePairs was given', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 20 }), (pairs) => {
        const map = new Map(pairs)
        assert.deepEqual(decodePairs(encodePairs(map)), [...map])
      }),
    )
  })

  it('never throws anything but a FastCgiError on random bytes, and makes up none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        try {
          const pairs = decodePairs(Buffer.from(array))
          const length = pairs.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
          assert.ok(length + 2 * pairs.length <= array.length)
        } catch (error) {
          assert.ok(error instanceof FastCgiError)
          assert.equal(error.code, 'ERR_FCGI_PROTOCOL')
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
