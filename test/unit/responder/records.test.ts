import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  encodeEndRequest,
  encodeGetValuesResult,
  encodeResponseEnd,
  encodeUnknownType,
} from '../../../lib/responder/records.ts'
import { decodeAll } from '../../support/decoded.ts'
import { splitsOf } from '../../support/splits.ts'

/** Kind, type, request id and content in hex of every record, the same at every split. */
function told(bytes: Buffer): string[] {
  const read = (pieces: readonly Buffer[]): string[] =>
    decodeAll(pieces).events.map(
      ({ kind, type, requestId, content }) => `${kind} ${type} of ${requestId} ${content.toString('hex')}`,
    )
  const whole = read([bytes])
  for (const { name, pieces } of splitsOf(bytes)) assert.deepEqual(read(pieces), whole, name)
  return whole
}

describe('encodeEndRequest', () => {
  it('is END_REQUEST alone', () => {
    assert.deepEqual(told(encodeEndRequest(258, { appStatus: 0, protocolStatus: 3 })), [
      'record 3 of 258 0000000003000000',
    ])
  })
})

describe('encodeResponseEnd', () => {
  it('ends STDOUT, then the request', () => {
    assert.deepEqual(told(encodeResponseEnd(7, { appStatus: 0xffffffff, protocolStatus: 0 }, false)), [
      'end 6 of 7 ',
      'record 3 of 7 ffffffff00000000',
    ])
  })

  it('ends STDERR too where it was used', () => {
    assert.deepEqual(told(encodeResponseEnd(7, { appStatus: 1, protocolStatus: 0 }, true)), [
      'end 6 of 7 ',
      'end 7 of 7 ',
      'record 3 of 7 0000000100000000',
    ])
  })
})

describe('encodeUnknownType', () => {
  it('tells the type on request id 0', () => {
    assert.deepEqual(told(encodeUnknownType(99)), ['record 11 of 0 6300000000000000'])
  })
})

describe('encodeGetValuesResult', () => {
  it('is a record of pairs on request id 0', () => {
    const pairs = Buffer.from('\x01\x01Ab', 'latin1').toString('hex')
    assert.deepEqual(told(encodeGetValuesResult(new Map([['A', 'b']]))), [`record 10 of 0 ${pairs}`])
    assert.deepEqual(told(encodeGetValuesResult(new Map())), ['record 10 of 0 '])
  })
})
