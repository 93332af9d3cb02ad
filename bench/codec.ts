// Operations a second of the encoder and the decoder: `node --import tsx bench/codec.ts [filter]`.
import { FCGI_RESPONDER, FCGI_STDOUT } from '../lib/protocol/constants.ts'
import { RecordDecoder } from '../lib/protocol/decoder.ts'
import { encodePairs, encodeRecord, encodeRequest } from '../lib/protocol/encoder.ts'
import { decodePairs } from '../lib/protocol/name-value.ts'
import { encodeResponseEnd } from '../lib/responder/records.ts'

/** Milliseconds that one measurement lasts, and how often each is made: the best counts, the others had company. */
const DURATION = 300
const ROUNDS = 5

/** About what a browser's request becomes. */
const params = new Map<string, string>([
  ...Array.from({ length: 20 }, (_, index): [string, string] => [
    `PARAMETER_${index}`,
    `/some/value/of/medium/length/${index}`,
  ]),
  ...Array.from({ length: 12 }, (_, index): [string, string] => [`HTTP_HEADER_${index}`, 'x'.repeat(40 + index * 12)]),
])
const request = { requestId: 1, role: FCGI_RESPONDER, flags: 1, params }
const end = encodeResponseEnd(1, { appStatus: 0, protocolStatus: 0 }, false)

function stdout(length: number): Buffer {
  return encodeRecord({ type: FCGI_STDOUT, requestId: 1, content: Buffer.alloc(length, 'x') })
}

const small = Buffer.concat([stdout(1_000), end])
const large = Buffer.concat([...Array.from({ length: 16 }, () => stdout(65_535)), end])
const manyRecords = Buffer.concat([...Array.from({ length: 1_000 }, () => stdout(40)), end])
const pairs = encodePairs(params)

let seen = 0
const decoder = new RecordDecoder({
  onStreamContent: (_type, _id, content) => {
    seen += content.length
  },
  onStreamEnd: () => {
    seen += 1
  },
  onRecord: (_type, _id, content) => {
    seen += content.length
  },
})

function decodeIn(bytes: Buffer, size: number): () => void {
  return () => {
    for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size))
  }
}

const CASES: readonly (readonly [name: string, run: () => void])[] = [
  ['encode a request without a body', () => void encodeRequest({ ...request, stdin: Buffer.alloc(0) })],
  ['encode a request with 4 KiB of body', () => void encodeRequest({ ...request, stdin: Buffer.alloc(4_096) })],
  ['encode the end of a response', () => void encodeResponseEnd(1, { appStatus: 0, protocolStatus: 0 }, false)],
  ['decode pairs of a request', () => void decodePairs(pairs)],
  ['decode an answer of 1 kB', () => decoder.push(small)],
  ['decode an answer of 1 MB in reads of 64 KiB', decodeIn(large, 65_536)],
  ['decode 1,000 small records at once', () => decoder.push(manyRecords)],
  ['decode an answer of 1 kB byte by byte', decodeIn(small, 1)],
]

/** Operations a second over one measurement. */
function measure(run: () => void): number {
  const start = performance.now()
  let operations = 0
  let elapsed = 0
  while (elapsed < DURATION) {
    for (let index = 0; index < 50; index += 1) run()
    operations += 50
    elapsed = performance.now() - start
  }
  return (operations * 1_000) / elapsed
}

const filter = process.argv[2] ?? ''
for (const [name, run] of CASES.filter(([title]) => title.includes(filter))) {
  const best = Math.max(...Array.from({ length: ROUNDS }, () => measure(run)))
  console.log(`${name.padEnd(46)} ${Math.round(best).toLocaleString('en').padStart(12)} ops/s`)
}
// Whoever optimises must not find that nothing was looked at.
if (seen === 0 && filter === '') throw new Error('nothing was decoded')
