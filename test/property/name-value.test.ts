import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FastCgiError } from '../../lib/errors.ts'
import { encodePairs } from '../../lib/protocol/encoder.ts'
import { decodePairs, formatPair } from '../../lib/protocol/name-value.ts'

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

  it('gives back pairs at every border of a length', () => {
    const length = fc.constantFrom(0, 1, 126, 127, 128, 129, 255, 256, 65_527, 65_528)
    fc.assert(
      fc.property(fc.array(fc.tuple(length, length), { minLength: 1, maxLength: 6 }), (lengths) => {
        const pairs = lengths.map(([name, value]) => ['n'.repeat(name), 'v'.repeat(value)] as const)
        const bytes = Buffer.from(pairs.map(([name, value]) => formatPair(name, value)).join(''), 'latin1')
        assert.deepEqual(decodePairs(bytes), pairs)
      }),
    )
  })

  it('takes what is cut for the pairs before the cut, or for a mistake: no pair is made shorter', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes(140), bytes(140)), { minLength: 1, maxLength: 4 }), (pairs) => {
        const encoded = pairs.map(([name, value]) => Buffer.from(formatPair(name, value), 'latin1'))
        const all = Buffer.concat(encoded)
        const ends = encoded.map((_, index) => Buffer.concat(encoded.slice(0, index)).length)
        for (let cut = 0; cut < all.length; cut += 1) {
          const before = ends.indexOf(cut)
          if (before === -1) assert.throws(() => decodePairs(all.subarray(0, cut)), { code: 'ERR_FCGI_PROTOCOL' })
          else assert.deepEqual(decodePairs(all.subarray(0, cut)), pairs.slice(0, before))
        }
      }),
      { numRuns: 50 },
    )
  })

  it('reads short lengths that are written in four bytes', () => {
    const long = (length: number): Buffer => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(length + 0x80_00_00_00)
      return bytes
    }
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes(20), bytes(200)), { maxLength: 5 }), (pairs) => {
        const encoded = pairs.flatMap(([name, value]) => [
          long(name.length),
          long(value.length),
          Buffer.from(name + value, 'latin1'),
        ])
        assert.deepEqual(decodePairs(Buffer.concat(encoded)), pairs)
      }),
    )
  })
})
