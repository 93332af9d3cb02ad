import { encodeRecord } from '../lib/protocol/encoder.ts'
import type { Step } from './steps.ts'

/** One record of a backend's answer, right or wrong. */
export interface PlannedRecord {
  readonly type: number
  /** Null: that of the request. */
  readonly id: number | null
  /** Latin1 characters, at most 65,535. */
  readonly content: string
  /** 0 to 255. */
  readonly padding: number
  readonly version?: number
  /** What the header says, where that is not the truth. */
  readonly claimed?: number
}

/** What a hostile backend does with a request. Plain data. */
export interface AnswerPlan {
  readonly records: readonly PlannedRecord[]
  /** Bytes behind them that are no record. */
  readonly garbage: string
  /** Of all that only so many bytes are sent; null: all. */
  readonly cut: number | null
  /** Bytes that are changed: where, and by which bits. */
  readonly flips: readonly (readonly [at: number, bits: number])[]
  /** Between two of these offsets the event loop turns. */
  readonly splits: readonly number[]
  /** Milliseconds to wait at one of the splits, the n-th; null: nowhere. */
  readonly pause: { readonly at: number; readonly time: number } | null
  readonly byteByByte: boolean
  /** What becomes of the connection then. */
  readonly ending: 'open' | 'close' | 'half-close' | 'reset'
  /** Answers before the body of the request has come. */
  readonly early: boolean
}

/** The client's side of the same case. */
export interface PlannedRequest {
  readonly method: string
  readonly version: '1.0' | '1.1'
  /** Bytes of a body; 0: none. */
  readonly bodyLength: number
  readonly chunked: boolean
  /** Milliseconds for which the client reads nothing; 0: it reads. */
  readonly deaf: number
  /** Another request follows on the same connection. */
  readonly followed: boolean
  /** The client leaves after so many milliseconds; null: it stays. */
  readonly leaveAfter: number | null
}

/** What the answer of a case is marked with, in its head and in each line of its body. */
export function markOf(caseNumber: number): string {
  return `mark-${caseNumber}-${checksumOf(caseNumber)}`
}

/** So that two halves of marks, where a record between is missing, do not pass for the mark of another case. */
function checksumOf(caseNumber: number): string {
  return ((Math.imul(caseNumber + 1, 0x9e3779b1) >>> 8) & 0xffff).toString(16).padStart(4, '0')
}

/** The marks in a text. */
export function marksIn(text: string): readonly string[] {
  return [...text.matchAll(/mark-(\d{1,9})-[0-9a-f]{4}/g)]
    .filter(([found, caseNumber]) => found === markOf(Number(caseNumber)))
    .map(([found]) => found)
}

/** The bytes of the answer to a request of this id. */
export function encodePlan(plan: AnswerPlan, requestId: number): Buffer {
  const records = plan.records.map((planned) => encodePlanned(planned, requestId))
  const all = Buffer.concat([...records, Buffer.from(plan.garbage, 'latin1')])
  for (const [at, bits] of plan.flips) {
    const old = all[at]
    if (old !== undefined) all[at] = old ^ bits
  }
  return plan.cut === null ? all : all.subarray(0, plan.cut)
}

function encodePlanned({ type, id, content, padding, version, claimed }: PlannedRecord, requestId: number): Buffer {
  const bytes = encodeRecord({
    type,
    requestId: id ?? requestId,
    content: Buffer.from(content, 'latin1'),
    paddingLength: padding,
  })
  if (version !== undefined) bytes.writeUInt8(version, 0)
  if (claimed !== undefined) bytes.writeUInt16BE(claimed, 4)
  return bytes
}

/** What the backend does, step by step. */
export function stepsOfPlan(plan: AnswerPlan, bytes: Buffer): readonly Step[] {
  const text = bytes.toString('latin1')
  const steps: Step[] = []
  if (plan.byteByByte) steps.push({ kind: 'drip', bytes: text, size: 1 })
  else {
    const edges = [0, ...[...plan.splits].filter((at) => at < text.length).sort((a, b) => a - b), text.length]
    for (const [index, edge] of edges.slice(1).entries()) {
      const piece = text.slice(edges[index], edge)
      if (piece !== '') steps.push({ kind: 'send', bytes: piece })
      if (plan.pause?.at === index) steps.push({ kind: 'wait', time: plan.pause.time })
    }
  }
  if (plan.ending !== 'open') steps.push({ kind: plan.ending })
  return steps
}
