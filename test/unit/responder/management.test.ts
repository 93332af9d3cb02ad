import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodePairs } from '../../../lib/protocol/name-value.ts'
import { answerManagement } from '../../../lib/responder/management.ts'

const VALUES = new Map([
  ['FCGI_MAX_CONNS', '10'],
  ['FCGI_MPXS_CONNS', '1'],
])

/** The content of GET_VALUES for these names. */
function asking(...names: string[]): Buffer {
  return Buffer.from(names.map((name) => `${String.fromCharCode(name.length)}\0${name}`).join(''), 'latin1')
}

describe('answerManagement', () => {
  it('answers GET_VALUES with what was asked and is known, in the order of the question', () => {
    const answer = answerManagement(9, asking('FCGI_MPXS_CONNS', 'FCGI_MAX_REQS', 'FCGI_MAX_CONNS'), VALUES)
    assert.equal(answer.readUInt8(1), 10)
    assert.deepEqual(decodePairs(answer.subarray(8)), [
      ['FCGI_MPXS_CONNS', '1'],
      ['FCGI_MAX_CONNS', '10'],
    ])
  })

  it('answers every other type with UNKNOWN_TYPE', () => {
    for (const type of [0, 1, 2, 3, 10, 11, 12, 255]) {
      const answer = answerManagement(type, Buffer.from('anything'), VALUES)
      assert.equal(answer.readUInt8(1), 11)
      assert.equal(answer.readUInt8(8), type)
    }
  })

  it('refuses GET_VALUES with a pair that is cut', () => {
    assert.throws(() => answerManagement(9, Buffer.from('\x05\0A', 'latin1'), VALUES), { code: 'ERR_FCGI_PROTOCOL' })
  })
})
