import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FastCgiError } from '../../lib/errors.ts'
import { RecordDecoder } from '../../lib/protocol/decoder.ts'
import { encodeRecord } from '../../lib/protocol/encoder.ts'
import { decodeAll } from '../support/decoded.ts'
import { cutAt, splitsOf } from '../support/splits.ts'

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

  it('gives the same whole, byte by byte and cut in two at every place', () => {
    const small = fc.record({
      type: fc.integer({ min: 1, max: 12 }),
      requestId: fc.constantFrom(0, 1, 2, 65_535),
      content: bytes(12),
      paddingLength: fc.constantFrom(0, 1, 8, 20),
    })
    fc.assert(
      fc.property(fc.array(small, { minLength: 1, maxLength: 4 }), (records) => {
        const encoded = Buffer.concat(records.map(encodeRecord))
        const whole = decodeAll([encoded])
        assert.equal(whole.decoder.atBoundary, true)
        for (const { name, pieces } of splitsOf(encoded)) {
          const { events, decoder } = decodeAll(pieces)
          assert.deepEqual(events, whole.events, name)
          assert.equal(decoder.atBoundary, true, name)
        }
      }),
    )
  })

  it('is at a boundary behind a record and nowhere else', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 4 }), fc.nat({ max: 200_000 }), (records, at) => {
        const encoded = records.map(encodeRecord)
        const all = Buffer.concat(encoded)
        const cut = at % (all.length + 1)
        const ends = encoded.map((_, index) => Buffer.concat(encoded.slice(0, index)).length)
        assert.equal(decodeAll([all.subarray(0, cut)]).decoder.atBoundary, cut === all.length || ends.includes(cut))
      }),
    )
  })

  it('says the same of any bytes, wherever they are cut: what it found before the mistake, and the mistake', () => {
    const outcome = (pieces: readonly Buffer[]): unknown => {
      const told: unknown[] = []
      const decoder = new RecordDecoder({
        onStreamContent: (type, id, content) => told.push(...[...content].map((byte) => [type, id, byte])),
        onStreamEnd: (type, id) => told.push([type, id, 'end']),
        onRecord: (type, id, content) => told.push([type, id, content.toString('latin1')]),
      })
      try {
        for (const piece of pieces) decoder.push(piece)
      } catch (error) {
        assert.ok(error instanceof FastCgiError)
        told.push(error.code)
      }
      return told
    }
    const spoiled = fc.tuple(fc.array(record, { maxLength: 3 }), bytes(40), fc.nat({ max: 200_000 }))
    fc.assert(
      fc.property(spoiled, offsets, ([records, garbage, at], cuts) => {
        const encoded = Buffer.concat(records.map(encodeRecord)).subarray(0, 5_000)
        const all = Buffer.concat([encoded.subarray(0, at % (encoded.length + 1)), garbage])
        assert.deepEqual(
          outcome(
            cutAt(
              all,
              cuts.map((cut) => cut % (all.length + 1)),
            ),
          ),
          outcome([all]),
        )
      }),
    )
  })
})
