import type { AnswerPlan, PlannedRecord, PlannedRequest } from './answer-plan.ts'

interface Both {
  readonly request: PlannedRequest
  readonly plan: AnswerPlan
}

/** Answers with something left out, and simpler requests for them. */
export function* simplerAnswers({ request, plan }: Both): Generator<Both> {
  for (const simpler of simplerPlans(plan)) yield { request, plan: simpler }
  for (const simpler of simplerRequests(request)) yield { request: simpler, plan }
  for (const [index, record] of plan.records.entries()) {
    for (const simpler of simplerRecords(record)) {
      yield { request, plan: { ...plan, records: plan.records.map((each, at) => (at === index ? simpler : each)) } }
    }
  }
}

function* simplerPlans(plan: AnswerPlan): Generator<AnswerPlan> {
  const { records } = plan
  if (records.length > 3) {
    const half = Math.floor(records.length / 2)
    yield { ...plan, records: records.slice(0, half) }
    yield { ...plan, records: records.slice(half) }
  }
  if (records.length < 20)
    for (const left of records.keys()) yield { ...plan, records: records.filter((_, at) => at !== left) }
  if (plan.garbage !== '') yield { ...plan, garbage: '' }
  if (plan.cut !== null) yield { ...plan, cut: null }
  if (plan.flips.length > 0) yield { ...plan, flips: plan.flips.slice(1) }
  if (plan.byteByByte) yield { ...plan, byteByByte: false }
  if (plan.splits.length > 0) yield { ...plan, splits: [], pause: null }
  if (plan.splits.length > 1) yield { ...plan, splits: plan.splits.slice(1) }
  if (plan.pause !== null) yield { ...plan, pause: null }
  if (plan.early) yield { ...plan, early: false }
  if (plan.ending !== 'open') yield { ...plan, ending: 'open' }
}

function* simplerRequests(request: PlannedRequest): Generator<PlannedRequest> {
  if (request.followed) yield { ...request, followed: false }
  if (request.deaf > 0) yield { ...request, deaf: 0 }
  if (request.leaveAfter !== null) yield { ...request, leaveAfter: null }
  if (request.bodyLength > 0) yield { ...request, bodyLength: 0 }
  if (request.chunked) yield { ...request, chunked: false }
  if (request.method !== 'GET') yield { ...request, method: 'GET', bodyLength: 0 }
}

function* simplerRecords(record: PlannedRecord): Generator<PlannedRecord> {
  if (record.padding > 0) yield { ...record, padding: 0 }
  const { content } = record
  const lines = content.split('\r\n')
  if (lines.length > 1 && lines.length < 20) {
    for (const left of lines.keys()) yield { ...record, content: lines.filter((_, at) => at !== left).join('\r\n') }
  }
  if (content.length > 100) yield { ...record, content: content.slice(0, Math.floor(content.length / 2)) }
}
