import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodePairs, formatPair } from '../../../lib/protocol/name-value.ts'

const BORDERS = [0, 1, 126, 127, 128, 129, 255, 256, 65_527, 65_534, 65_535, 65_536]

function encoded(name: string, value: string): Buffer {
  return Buffer.from(formatPair(name, value), 'latin1')
}

describe('formatPair', () => {
  it('writes the example of section 3.4 with short lengths', () => {
    assert.equal(encoded('AB', 'xyz').toString('latin1'), '\x02\x03ABxyz')
  })

  it('writes one byte for a length of 127 and four, high bit set, from 128 on', () => {
    assert.equal(encoded('n'.repeat(127), '').toString('hex', 0, 3), `7f00${Buffer.from('n').toString('hex')}`)
    assert.equal(encoded('n'.repeat(128), '').toString('hex', 0, 6), `8000008000${Buffer.from('n').toString('hex')}`)
    assert.equal(encoded('', 'v'.repeat(65_535)).toString('hex', 0, 5), '008000ffff')
  })

  it('keeps all 256 values of a byte', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
    assert.deepEqual(decodePairs(encoded(bytes, bytes)), [[bytes, bytes]])
  })
})

describe('decodePairs', () => {
  it('reads what formatPair wrote, for every pair of border lengths', () => {
    for (const nameLength of BORDERS) {
      for (const valueLength of BORDERS) {
        const pair: [string, string] = ['n'.repeat(nameLength), 'v'.repeat(valueLength)]
        assert.deepEqual(decodePairs(encoded(...pair)), [pair], `${nameLength} and ${valueLength}`)
      }
    }
  })

  it('takes the long form for a short length too', () => {
    const bytes = Buffer.from('80000001800000014162', 'hex')
    assert.deepEqual(decodePairs(bytes), [['A', 'b']])
  })

  it('keeps order, repeats and empty values', () => {
    const pairs: [string, string][] = [
      ['B', '1'],
      ['A', ''],
      ['B', '2'],
      ['', 'x'],
    ]
    assert.deepEqual(decodePairs(Buffer.concat(pairs.map((pair) => encoded(...pair)))), pairs)
  })

  it('reads nothing from nothing', () => {
    assert.deepEqual(decodePairs(Buffer.alloc(0)), [])
  })

  it('refuses a pair that is cut at any byte', () => {
    for (const bytes of [
      encoded('NAME', 'value'),
      encoded('n'.repeat(130), 'v'.repeat(3)),
      encoded('n', 'v'.repeat(200)),
    ]) {
      for (let length = 1; length < bytes.length; length += 1) {
        assert.throws(() => decodePairs(bytes.subarray(0, length)), { code: 'ERR_FCGI_PROTOCOL' }, `cut at ${length}`)
      }
    }
  })

  it('refuses lengths of 31 bits without reaching for the memory', () => {
    const bytes = Buffer.from('ffffffffffffffff4142', 'hex')
    assert.throws(() => decodePairs(bytes), { code: 'ERR_FCGI_PROTOCOL' })
  })
})
