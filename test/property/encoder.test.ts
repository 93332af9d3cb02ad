import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeRequest, MAX_PARAMS_LENGTH } from '../../lib/protocol/encoder.ts'
import { decodePairs, formatPair } from '../../lib/protocol/name-value.ts'
import { decodeAll } from '../support/decoded.ts'
import { cutAt, pieces } from '../support/splits.ts'

const short = fc.uint8Array({ maxLength: 140 }).map((array) => Buffer.from(array).toString('latin1'))
const text = fc.oneof(
  short,
  fc.nat({ max: 65_600 }).map((length) => 'v'.repeat(length)),
  fc.integer({ min: 65_500, max: 65_540 }).map((length) => 'b'.repeat(length)),
)

describe('encodeRequest', () => {
  it('decodes to the parameters and the body that it was given, or is refused for their length', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(short, text), { maxLength: 12 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.nat({ max: 300_000 }), { maxLength: 20 }),
        (list, stdin, cuts) => {
          const params = new Map(list)
          const lengths = [...params].map((pair) => formatPair(...pair).length)
          const opening = { requestId: 7, role: 1, flags: 0, params, stdin }
          if (lengths.some((length) => length > 65_535) || lengths.reduce((a, b) => a + b, 0) > MAX_PARAMS_LENGTH) {
            assert.throws(() => encodeRequest(opening), { code: 'ERR_FCGI_PARAMS_LIMIT' })
            return
          }
          const encoded = encodeRequest(opening)
          const { events } = decodeAll(cutAt(encoded, cuts))
          const content = (type: number): Buffer =>
            Buffer.concat(events.filter((event) => event.type === type).map((event) => event.content))
          assert.deepEqual(decodePairs(content(4)), [...params])
          assert.ok(content(5).equals(stdin))
          assert.deepEqual(
            events.map(({ kind, type }) => `${kind} ${type}`),
            [
              'record 1',
              ...(params.size > 0 ? ['content 4'] : []),
              'end 4',
              ...(stdin.length > 0 ? ['content 5'] : []),
              'end 5',
            ],
          )
        },
      ),
    )
  })

  it('decodes byte by byte to the same', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(short, short), { maxLength: 6 }), (list) => {
        const params = new Map(list)
        const encoded = encodeRequest({ requestId: 7, role: 1, flags: 0, params, stdin: undefined })
        assert.deepEqual(decodeAll(pieces(encoded, 1)).events, decodeAll([encoded]).events)
      }),
    )
  })
})
