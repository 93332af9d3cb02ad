import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecordDecoder } from '../../../lib/protocol/decoder.ts'
import { encodeRecord } from '../../../lib/protocol/encoder.ts'
import { type Decoded, decodeAll } from '../../support/decoded.ts'
import { splitsOf } from '../../support/splits.ts'

const STREAMS = new Set([4, 5, 6, 7, 8])

interface Input {
  readonly type: number
  readonly requestId: number
  readonly content: Buffer
  readonly paddingLength: number
}

function input(type: number, content: string | Buffer, more: Partial<Input> = {}): Input {
  return { type, requestId: 1, content: Buffer.from(content as string, 'latin1'), paddingLength: 0, ...more }
}

function expected(records: readonly Input[]): Decoded[] {
  const events: Decoded[] = []
  for (const { type, requestId, content } of records) {
    const stream = STREAMS.has(type)
    const kind = !stream ? 'record' : content.length > 0 ? 'content' : 'end'
    const last = events.at(-1)
    if (kind === 'content' && last?.kind === kind && last.type === type && last.requestId === requestId) {
      events.splice(-1, 1, { ...last, content: Buffer.concat([last.content, content]) })
    } else events.push({ kind, type, requestId, content })
  }
  return events
}

/** The case whole, byte by byte, and cut at every place. */
function decodesEverySplit(records: readonly Input[]): void {
  const bytes = Buffer.concat(records.map((record) => encodeRecord(record)))
  const wanted = expected(records)
  for (const { name, pieces } of splitsOf(bytes)) {
    const { events, decoder } = decodeAll(pieces)
    assert.deepEqual(events, wanted, name)
    assert.ok(decoder.atBoundary, name)
  }
}

describe('RecordDecoder', () => {
  for (let type = 0; type <= 12; type += 1) {
    it(`decodes records of type ${type}, empty and not, however they are split`, () => {
      decodesEverySplit([
        input(type, 'some content', { requestId: 0x0102, paddingLength: 5 }),
        input(type, '', { requestId: 0xffff, paddingLength: 3 }),
        input(type, 'x', { requestId: 0 }),
        input(type, ''),
      ])
    })
  }

  it('skips every padding from 0 to 255', () => {
    for (let paddingLength = 0; paddingLength <= 255; paddingLength += 1) {
      const records = [input(6, 'out', { paddingLength }), input(3, '\0\0\0\0\0\0\0\0', { paddingLength })]
      if (paddingLength % 51 < 2) decodesEverySplit(records)
      else assert.deepEqual(decodeAll([Buffer.concat(records.map(encodeRecord))]).events, expected(records))
    }
  })

  it('skips padding that is no zeros', () => {
    const bytes = encodeRecord(input(6, 'out', { paddingLength: 9 })).fill(1, 11)
    for (const { name, pieces } of splitsOf(Buffer.concat([bytes, encodeRecord(input(6, ''))]))) {
      assert.deepEqual(decodeAll(pieces).events, expected([input(6, 'out'), input(6, '')]), name)
    }
  })

  for (const length of [1, 255, 256, 65_527, 65_534, 65_535]) {
    it(`decodes contents of ${length} bytes`, () => {
      const content = Buffer.from(Array.from({ length }, (_, index) => (index * 7) & 0xff))
      decodesEverySplit([input(6, content, { paddingLength: 1 }), input(11, content), input(6, '')])
    })
  }

  it('tells interleaved streams apart', () => {
    decodesEverySplit([
      input(6, 'one', { requestId: 1 }),
      input(6, 'two', { requestId: 2 }),
      input(7, 'err', { requestId: 1 }),
      input(6, 'one', { requestId: 1 }),
      input(6, '', { requestId: 2 }),
    ])
  })

  it('hands content of streams over at once, in views of what came', () => {
    const bytes = encodeRecord(input(6, 'abcdef'))
    const seen: Buffer[] = []
    const decoder = new RecordDecoder({
      onStreamContent: (_type, _id, content) => void seen.push(content),
      onStreamEnd: () => assert.fail('the stream has not ended'),
      onRecord: () => assert.fail('this is a stream'),
    })
    decoder.push(bytes.subarray(0, 10))
    assert.equal(String(seen[0]), 'ab')
    assert.equal(seen[0]?.buffer, bytes.buffer)
    decoder.push(bytes.subarray(10))
    assert.equal(String(seen[1]), 'cdef')
  })

  it('is at a boundary between two records alone', () => {
    const bytes = encodeRecord(input(6, 'abc', { paddingLength: 2 }))
    const { decoder } = decodeAll([])
    assert.ok(decoder.atBoundary)
    for (let at = 0; at < bytes.length; at += 1) {
      decoder.push(bytes.subarray(at, at + 1))
      assert.equal(decoder.atBoundary, at === bytes.length - 1, `after byte ${at}`)
    }
  })

  it('refuses a version other than 1, however the header is split, and everything after it', () => {
    const bytes = Buffer.concat([encodeRecord(input(6, 'ok')), Buffer.from('HTTP/1.1 200 OK\r\n')])
    for (const { name, pieces } of splitsOf(bytes)) {
      assert.throws(() => decodeAll(pieces), { code: 'ERR_FCGI_PROTOCOL', status: 502, detail: /HTTP\/1\.1/ }, name)
    }
    const { decoder } = decodeAll([])
    assert.throws(() => decoder.push(bytes), { code: 'ERR_FCGI_PROTOCOL' })
    assert.ok(!decoder.atBoundary)
    assert.throws(() => decoder.push(encodeRecord(input(6, 'ok'))), { code: 'ERR_FCGI_PROTOCOL' })
  })

  it('hands over what stood before the malformed record', () => {
    const seen: string[] = []
    const decoder = new RecordDecoder({
      onStreamContent: (_type, _id, content) => void seen.push(String(content)),
      onStreamEnd: () => undefined,
      onRecord: () => undefined,
    })
    const bytes = Buffer.concat([encodeRecord(input(6, 'before')), Buffer.alloc(8)])
    assert.throws(() => decoder.push(bytes), { code: 'ERR_FCGI_PROTOCOL' })
    assert.deepEqual(seen, ['before'])
  })

  it('lets what its handler throws out', () => {
    const decoder = new RecordDecoder({
      onStreamContent: () => {
        throw new RangeError('no')
      },
      onStreamEnd: () => undefined,
      onRecord: () => undefined,
    })
    assert.throws(() => decoder.push(encodeRecord(input(6, 'x'))), RangeError)
  })
})
