import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  BODY_LENGTH,
  decodeBeginRequestBody,
  decodeEndRequestBody,
  decodeUnknownTypeBody,
  encodeBeginRequestBody,
  encodeEndRequestBody,
  encodeUnknownTypeBody,
} from '../../../lib/protocol/bodies.ts'

/** What encoders write into must come out clean whatever the memory held before (CVE-2023-0836). */
function dirty(): Buffer {
  return Buffer.alloc(BODY_LENGTH + 2, 0xaa)
}

describe('the content of BEGIN_REQUEST', () => {
  it('is the role, the flags and five zeros', () => {
    const target = dirty()
    assert.equal(encodeBeginRequestBody(target, 1, { role: 0x0103, flags: 1 }), 9)
    assert.equal(target.toString('hex'), 'aa0103010000000000aa')
  })

  it('is read back at the borders of its fields', () => {
    for (const body of [
      { role: 0, flags: 0 },
      { role: 65_535, flags: 255 },
      { role: 1, flags: 1 },
    ]) {
      const target = dirty()
      encodeBeginRequestBody(target, 0, body)
      assert.deepEqual(decodeBeginRequestBody(target), body)
    }
  })
})

describe('the content of END_REQUEST', () => {
  it('is the appStatus, the protocolStatus and three zeros', () => {
    const target = dirty()
    assert.equal(encodeEndRequestBody(target, 1, { appStatus: 0x01020304, protocolStatus: 2 }), 9)
    assert.equal(target.toString('hex'), 'aa0102030402000000aa')
  })

  it('takes an appStatus of 32 bits as unsigned', () => {
    const target = dirty()
    encodeEndRequestBody(target, 0, { appStatus: 0xff_ff_ff_ff, protocolStatus: 255 })
    assert.deepEqual(decodeEndRequestBody(target), { appStatus: 4_294_967_295, protocolStatus: 255 })
  })

  it('may hold anything in its reserved bytes, as php-fpm does', () => {
    const content = Buffer.from('0000000100ffeedd', 'hex')
    assert.deepEqual(decodeEndRequestBody(content), { appStatus: 1, protocolStatus: 0 })
  })
})

describe('the content of UNKNOWN_TYPE', () => {
  it('is the type and seven zeros', () => {
    const target = dirty()
    assert.equal(encodeUnknownTypeBody(target, 1, 0x63), 9)
    assert.equal(target.toString('hex'), 'aa6300000000000000aa')
    assert.equal(decodeUnknownTypeBody(target.subarray(1)), 0x63)
  })
})

describe('a content that is too short', () => {
  for (const [record, decode] of [
    ['BEGIN_REQUEST', decodeBeginRequestBody],
    ['END_REQUEST', decodeEndRequestBody],
    ['UNKNOWN_TYPE', decodeUnknownTypeBody],
  ] as const) {
    it(`of ${record} is refused at every length below eight`, () => {
      for (let length = 0; length < BODY_LENGTH; length += 1) {
        assert.throws(() => decode(Buffer.alloc(length)), {
          code: 'ERR_FCGI_PROTOCOL',
          detail: `${record} has ${length} bytes of content instead of 8`,
        })
      }
      assert.doesNotThrow(() => decode(Buffer.alloc(BODY_LENGTH)))
    })
  }
})
