import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeHeader, encodeHeader, type RecordHeader } from '../../../lib/protocol/header.ts'

const HEADER = { type: 6, requestId: 0x0102, contentLength: 0xfffe, paddingLength: 255 }

/** Null: refused. */
function decoded(bytes: Buffer, offset: number): RecordHeader | null {
  const header = { type: -1, requestId: -1, contentLength: -1, paddingLength: -1 }
  return decodeHeader(bytes, offset, header) ? header : null
}

describe('encodeHeader', () => {
  it('writes the eight bytes of section 3.3 and nothing around them', () => {
    const target = Buffer.alloc(12, 0xaa)
    assert.equal(encodeHeader(target, 2, HEADER), 10)
    assert.equal(target.toString('hex'), 'aaaa01060102fffeff00aaaa')
  })
})

describe('decodeHeader', () => {
  it('reads what encodeHeader wrote, at the borders of every field', () => {
    for (const type of [0, 1, 11, 255]) {
      for (const requestId of [0, 1, 255, 256, 65_535]) {
        for (const contentLength of [0, 1, 255, 256, 65_535]) {
          for (const paddingLength of [0, 7, 255]) {
            const header = { type, requestId, contentLength, paddingLength }
            const bytes = Buffer.alloc(9)
            encodeHeader(bytes, 1, header)
            assert.deepEqual(decoded(bytes, 1), header)
          }
        }
      }
    }
  })

  it('refuses every version but 1', () => {
    const bytes = Buffer.alloc(8)
    encodeHeader(bytes, 0, HEADER)
    for (let version = 0; version < 256; version += 1) {
      bytes.writeUInt8(version, 0)
      assert.equal(decoded(bytes, 0) === null, version !== 1, `version ${version}`)
    }
  })

  it('does not look at the reserved byte', () => {
    const bytes = Buffer.alloc(8)
    encodeHeader(bytes, 0, HEADER)
    bytes.writeUInt8(0xff, 7)
    assert.deepEqual(decoded(bytes, 0), HEADER)
  })
})
