import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FastCgiError } from '../../lib/errors.ts'
import { encodeRecord } from '../../lib/protocol/encoder.ts'
import { decodeAll } from '../support/decoded.ts'
import { cutAt } from '../support/splits.ts'

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

const record = fc.record({
  type: fc.nat({ max: 255 }),
  requestId: fc.nat({ max: 65_535 }),
  content: fc.oneof(
    bytes(20),
    bytes(400),
    fc.nat({ max: 65_535 }).map((length) => Buffer.alloc(length, length & 0xff)),
  ),
  paddingLength: fc.nat({ max: 255 }),
})

const offsets = fc.array(fc.nat({ max: 200_000 }), { maxLength: 40 })

describe('RecordDecoder', () => {
  it('gives back whatever records were encoded, however they are split', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), offsets, (records, cuts) => {
        const encoded = Buffer.concat(records.map(encodeRecord))
        const whole = decodeAll([encoded]).events
        const split = decodeAll(
          cutAt(
            encoded,
            cuts.map((cut) => cut % (encoded.length + 1)),
          ),
        ).events
        assert.deepEqual(split, whole)
        // Neighbouring pieces of one stream are one in what decodeAll gives, so they are here.
        const content = (list: readonly { readonly content: Uint8Array }[]): Buffer =>
          Buffer.concat(list.map((one) => one.content))
        assert.ok(content(split).equals(content(records)))
        const changes = (list: readonly { readonly type: number; readonly requestId: number }[]): string[] =>
          list.map(({ type, requestId }) => `${type}/${requestId}`).filter((name, at, all) => name !== all[at - 1])
        assert.deepEqual(changes(split), changes(records))
      }),
    )
  })

  it('never throws anything but a FastCgiError on random bytes', () => {
    const mostlyVersionOne = fc.array(fc.oneof(fc.constant(1), fc.constant(0), fc.nat({ max: 255 })), {
      maxLength: 300,
    })
    fc.assert(
      fc.property(
        fc.oneof(
          bytes(300),
          mostlyVersionOne.map((list) => Buffer.from(list)),
        ),
        offsets,
        (garbage, cuts) => {
          try {
            decodeAll(
              cutAt(
                garbage,
                cuts.map((cut) => cut % 301),
              ),
            )
          } catch (error) {
            assert.ok(error instanceof FastCgiError)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
