import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  encodeAbortRequest,
  encodeGetValues,
  encodePairs,
  encodeRecord,
  encodeRecordHeader,
  encodeRequest,
  MAX_PARAMS_LENGTH,
  stampRequestId,
} from '../../../lib/protocol/encoder.ts'
import { decodePairs, formatPair } from '../../../lib/protocol/name-value.ts'

/** Records as the specification lays them out, read by hand. */
function recordsOf(bytes: Buffer): { type: number; requestId: number; content: Buffer; padding: Buffer }[] {
  const records = []
  for (let at = 0; at < bytes.length; ) {
    assert.equal(bytes.readUInt8(at), 1)
    assert.equal(bytes.readUInt8(at + 7), 0)
    const contentAt = at + 8
    const paddingAt = contentAt + bytes.readUInt16BE(at + 4)
    const end = paddingAt + bytes.readUInt8(at + 6)
    assert.ok(end <= bytes.length, 'a record is cut')
    records.push({
      type: bytes.readUInt8(at + 1),
      requestId: bytes.readUInt16BE(at + 2),
      content: bytes.subarray(contentAt, paddingAt),
      padding: bytes.subarray(paddingAt, end),
    })
    at = end
  }
  return records
}

function request(params: ReadonlyMap<string, string>, stdin?: Uint8Array): ReturnType<typeof recordsOf> {
  return recordsOf(encodeRequest({ requestId: 0x0102, role: 1, flags: 1, params, stdin }))
}

/** A value that makes the pair take `length` bytes, for a name of three letters. */
function valueFor(length: number): string {
  return 'v'.repeat(length - 3 - (length - 5 < 128 ? 2 : 5))
}

/** Fills what the allocator hands out next with bytes that must not be seen again. */
function soilThePool(): void {
  for (let index = 0; index < 16; index += 1) Buffer.allocUnsafe(4_000).fill(0xaa)
}

describe('encodeRecord', () => {
  it('writes every type with any padding, which is zeros', () => {
    for (let type = 0; type <= 12; type += 1) {
      for (let paddingLength = 0; paddingLength <= 255; paddingLength += 1) {
        if (paddingLength % 16 === 0) soilThePool()
        const bytes = encodeRecord({ type, requestId: 513, content: Buffer.from('content'), paddingLength })
        assert.deepEqual(recordsOf(bytes), [
          { type, requestId: 513, content: Buffer.from('content'), padding: Buffer.alloc(paddingLength) },
        ])
      }
    }
  })

  it('carries 0 to 65,535 bytes and refuses one more', () => {
    for (const length of [0, 1, 255, 256, 65_534, 65_535]) {
      const content = Buffer.alloc(length, 0x62)
      const records = recordsOf(encodeRecord({ type: 6, requestId: 1, content }))
      assert.equal(records.length, 1)
      assert.ok(records[0]?.content.equals(content))
    }
    assert.throws(() => encodeRecord({ type: 6, requestId: 1, content: Buffer.alloc(65_536) }), RangeError)
  })

  it('refuses a padding that its byte cannot tell', () => {
    assert.throws(() => encodeRecord({ type: 6, requestId: 1, paddingLength: 256 }), RangeError)
  })
})

describe('encodeRecordHeader', () => {
  it('announces content that is written behind it', () => {
    const content = Buffer.alloc(65_535, 0x63)
    const [record] = recordsOf(Buffer.concat([encodeRecordHeader(5, 9, content.length), content]))
    assert.equal(record?.type, 5)
    assert.equal(record?.requestId, 9)
    assert.ok(record?.content.equals(content))
  })
})

describe('encodeRequest', () => {
  it('writes BEGIN_REQUEST, PARAMS, the end of PARAMS, STDIN and its end', () => {
    const records = request(new Map([['A', 'b']]), Buffer.from('body'))
    assert.deepEqual(
      records.map(({ type, requestId, content }) => [type, requestId, content.toString('latin1')]),
      [
        [1, 0x0102, '\0\x01\x01\0\0\0\0\0'],
        [4, 0x0102, '\x01\x01Ab'],
        [4, 0x0102, ''],
        [5, 0x0102, 'body'],
        [5, 0x0102, ''],
      ],
    )
  })

  it('ends STDIN at once for an empty body', () => {
    assert.deepEqual(
      request(new Map([['A', 'b']]), Buffer.alloc(0)).map(({ type }) => type),
      [1, 4, 4, 5],
    )
  })

  it('leaves STDIN to the caller when the body is not at hand', () => {
    assert.deepEqual(
      request(new Map([['A', 'b']])).map(({ type }) => type),
      [1, 4, 4],
    )
  })

  it('ends PARAMS at once when there are none', () => {
    assert.deepEqual(
      request(new Map()).map(({ type, content }) => [type, content.length]),
      [
        [1, 8],
        [4, 0],
      ],
    )
  })

  it('takes a body of 65,535 bytes and refuses one more', () => {
    const stdin = Buffer.alloc(65_535, 0x62)
    assert.ok(request(new Map(), stdin)[2]?.content.equals(stdin))
    assert.throws(() => request(new Map(), Buffer.alloc(65_536)), RangeError)
  })

  it('never cuts a pair over two records, wherever the border of 65,535 bytes falls', () => {
    for (let first = 65_535 - 40; first <= 65_535; first += 1) {
      const params = new Map([['AAA', valueFor(first)]])
      for (let index = 0; index < 8; index += 1) params.set(`B_${index}`, 'x'.repeat(index))
      const contents = request(params)
        .filter(({ type }) => type === 4)
        .map(({ content }) => content)
      assert.equal(contents.at(-1)?.length, 0)
      // decodePairs refuses a pair that is cut at the end of its record.
      assert.deepEqual(contents.flatMap(decodePairs), [...params], `after ${first} bytes`)
    }
  })

  it('fills a record to the last of its 65,535 bytes', () => {
    const params = new Map([
      ['AAA', valueFor(65_535 - 5)],
      ['BBB', ''],
    ])
    assert.deepEqual(
      request(params).map(({ content }) => content.length),
      [8, 65_535, 0],
    )
  })

  it('opens a new record for a pair that misses its place by one byte', () => {
    const params = new Map([
      ['AAA', valueFor(65_535 - 4)],
      ['BBB', ''],
    ])
    assert.deepEqual(
      request(params).map(({ content }) => content.length),
      [8, 65_531, 5, 0],
    )
  })

  it('packs many pairs as they come', () => {
    const params = new Map(Array.from({ length: 9_000 }, (_, index) => [`HTTP_X_${index}`, `value ${index}`]))
    const records = request(params).filter(({ type, content }) => type === 4 && content.length > 0)
    assert.ok(records.length >= 3)
    assert.deepEqual(
      records.flatMap(({ content }) => decodePairs(content)),
      [...params],
    )
  })

  it('refuses a pair that has no room in a record, and names it', () => {
    assert.equal(request(new Map([['AAA', valueFor(65_535)]]))[1]?.content.length, 65_535)
    assert.throws(() => request(new Map([['AAA', `${valueFor(65_535)}v`]])), {
      code: 'ERR_FCGI_PARAMS_LIMIT',
      status: 431,
      detail: /AAA/,
    })
  })

  it('takes parameters of MAX_PARAMS_LENGTH bytes and refuses one more', () => {
    assert.equal(MAX_PARAMS_LENGTH, 262_144)
    const params = new Map(['AAA', 'BBB', 'CCC', 'DDD'].map((name) => [name, valueFor(60_000)]))
    const rest = MAX_PARAMS_LENGTH - [...params].reduce((sum, pair) => sum + formatPair(...pair).length, 0)
    params.set('EEE', valueFor(rest))
    assert.deepEqual(
      request(params)
        .filter(({ type }) => type === 4)
        .flatMap(({ content }) => decodePairs(content)),
      [...params],
    )
    params.set('EEE', valueFor(rest + 1))
    assert.throws(() => request(params), { code: 'ERR_FCGI_PARAMS_LIMIT', status: 431 })
  })

  it('shows nothing that the memory held before', () => {
    soilThePool()
    const bytes = encodeRequest({ requestId: 1, role: 1, flags: 0, params: new Map([['A', 'b']]), stdin: undefined })
    assert.ok(!bytes.includes(0xaa))
  })
})

describe('encodeAbortRequest', () => {
  it('is a record without content', () => {
    assert.equal(encodeAbortRequest(258).toString('hex'), '0102010200000000')
  })
})

describe('encodeGetValues', () => {
  it('asks for names with empty values, on request id 0', () => {
    const [record] = recordsOf(encodeGetValues(['FCGI_MAX_CONNS', 'FCGI_MPXS_CONNS']))
    assert.equal(record?.type, 9)
    assert.equal(record?.requestId, 0)
    assert.deepEqual(decodePairs(record?.content ?? Buffer.alloc(0)), [
      ['FCGI_MAX_CONNS', ''],
      ['FCGI_MPXS_CONNS', ''],
    ])
  })
})

describe('encodePairs', () => {
  it('writes pairs one after another', () => {
    const pairs = new Map([
      ['A', 'b'],
      ['C', ''],
    ])
    assert.equal(encodePairs(pairs).toString('latin1'), '\x01\x01Ab\x01\0C')
  })
})

describe('stampRequestId', () => {
  it('writes the id into every record and touches nothing else', () => {
    const opening = {
      role: 1,
      flags: 1,
      params: new Map([
        ['A', 'b'.repeat(60_000)],
        ['C', 'd'.repeat(60_000)],
      ]),
      stdin: Buffer.from('body'),
    }
    const stamped = stampRequestId(encodeRequest({ ...opening, requestId: 1 }), 0xfedc)
    assert.deepEqual(stamped, encodeRequest({ ...opening, requestId: 0xfedc }))
  })
})
