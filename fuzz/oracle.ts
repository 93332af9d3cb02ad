import { readResponse } from './oracle-head.ts'

/** What a client must see of an answer. */
export type Expectation =
  /** All of it. */
  | { readonly kind: 'whole'; readonly status: number; readonly body: Buffer; readonly headLength: number }
  /** A page of the gateway's own, or an answer that is visibly cut. */
  | { readonly kind: 'broken'; readonly why: string }
  /** Either: the rules leave it open, or the kernel may lose bytes. If it is called whole, it has this body. */
  | { readonly kind: 'either'; readonly why: string; readonly body: Buffer | null }

/** How FastCGI and CGI understand the bytes that a backend sends to a request, written without a look at lib/. */
export function expectationOf(bytes: Buffer, request: { readonly id: number; readonly method: string }): Expectation {
  const { output, doubt, broken } = readRecords(bytes, request.id)
  const response = readResponse(output, request.method)
  if (typeof response === 'string') return { kind: 'broken', why: broken ?? response }
  const { status, body } = response
  // Nobody can take back an answer of which as much has gone out as its head announced.
  if (broken !== null && !response.isMeasured) return { kind: 'broken', why: broken }
  const why = broken ?? doubt ?? response.doubt
  if (why === null) return { kind: 'whole', status, body, headLength: response.headLength }
  return { kind: 'either', why, body: response.doubt === null ? body : null }
}

/** Whether the bytes are a whole answer and nothing else: of such alone nothing can reach the next request on the connection. */
export function isExact(bytes: Buffer, id: number): boolean {
  const { broken, end } = readRecords(bytes, id)
  return broken === null && end === bytes.length
}

interface Output {
  /** STDOUT up to END_REQUEST, or to what is wrong. */
  readonly output: Buffer
  readonly doubt: string | null
  /** Why this is no whole answer. */
  readonly broken: string | null
  /** Offset behind the last record that was read. */
  readonly end: number
}

const [END_REQUEST, STDOUT, STDERR] = [3, 6, 7]

interface ReadRecord {
  readonly type: number
  readonly content: Buffer
  /** Of the record with its padding. */
  readonly length: number
  readonly broken: string | null
}

/** FastCGI 1.0 section 3.3. */
function readRecord(bytes: Buffer, id: number): ReadRecord {
  const nothing = { type: 0, content: bytes.subarray(0, 0), length: 0 }
  if (bytes.length >= 8 && bytes[0] !== 1) return { ...nothing, broken: `version ${bytes[0]}` }
  if (bytes.length < 8) return { ...nothing, broken: 'no END_REQUEST' }
  const [type, length] = [bytes.readUInt8(1), bytes.readUInt16BE(4)]
  const content = bytes.subarray(8, 8 + length)
  const whole = { type, content, length: 8 + length + bytes.readUInt8(6) }
  if (bytes.readUInt16BE(2) !== id) return { ...whole, broken: 'a record of another request' }
  return { ...whole, broken: content.length < length ? 'a record that is cut' : null }
}

/** FastCGI 1.0 section 5.5: STDOUT up to END_REQUEST, or as far as it goes. */
function readRecords(bytes: Buffer, id: number): Output {
  const pieces: Buffer[] = []
  let doubt: string | null = null
  let closed = false
  for (let at = 0; ; ) {
    const record = readRecord(bytes.subarray(at), id)
    const { type, content } = record
    const isKnown = type === STDOUT || type === STDERR || type === END_REQUEST
    const broken = record.broken ?? (isKnown ? null : `a record of type ${type}`)
    // FastCGI 1.0 section 3.3: an empty record ends the stream. What is to become of more is not said.
    if (type === STDOUT && closed && content.length > 0) doubt = 'STDOUT goes on behind its end'
    if (type === STDOUT && content.length === 0) closed = true
    if (type === STDOUT && record.broken !== 'a record of another request') pieces.push(content)
    if (broken !== null) return { output: Buffer.concat(pieces), doubt, broken, end: at }
    if (type === END_REQUEST) {
      return {
        output: Buffer.concat(pieces),
        doubt: doubt ?? doubtOfEnd(content),
        broken: brokenEnd(content),
        end: at + record.length,
      }
    }
    at += record.length
  }
}

function brokenEnd(content: Buffer): string | null {
  if (content.length < 8) return 'an END_REQUEST that is too short'
  return content.readUInt8(4) === 0 ? null : `the protocolStatus ${content.readUInt8(4)}`
}

function doubtOfEnd(content: Buffer): string | null {
  return content.length > 8 ? 'an END_REQUEST that is too long' : null
}
