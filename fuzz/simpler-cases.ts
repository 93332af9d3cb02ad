import type { RawRequest, RequestCase } from './request-case.ts'

/** Cases with something left out. */
export function* simplerCases(one: RequestCase): Generator<RequestCase> {
  const { requests } = one
  for (const index of requests.keys()) {
    if (requests.length > 1) yield { ...one, requests: requests.filter((_, at) => at !== index) }
  }
  yield* simplerDelivery(one)
  for (const [index, request] of requests.entries()) {
    for (const simpler of simplerRequests(request)) {
      yield { ...one, requests: requests.map((each, at) => (at === index ? simpler : each)) }
    }
  }
}

function* simplerDelivery(one: RequestCase): Generator<RequestCase> {
  if (one.deaf > 0) yield { ...one, deaf: 0 }
  if (one.byteByByte) yield { ...one, byteByByte: false }
  if (one.splits.length > 0) yield { ...one, splits: [], pause: 0 }
  if (one.splits.length > 1) yield { ...one, splits: one.splits.slice(1) }
  if (one.pause > 0) yield { ...one, pause: 0 }
  if (one.cut !== null) yield { ...one, cut: null }
  if (one.ending !== 'stay') yield { ...one, ending: 'stay' }
}

/** An orderly request stays one: its framing is not touched. */
function* simplerRequests(request: RawRequest): Generator<RawRequest> {
  const { fields, body, orderly } = request
  const isNeeded = (field: string): boolean => /^(?:host|connection|content-length|transfer-encoding):/i.test(field)
  const optional = [...fields.keys()].filter((at) => !orderly || !isNeeded(fields[at] ?? ''))
  if (optional.length > 2) yield { ...request, fields: fields.filter((_, at) => !optional.includes(at)) }
  for (const left of optional) yield { ...request, fields: fields.filter((_, at) => at !== left) }
  if (orderly || body === '') return
  yield { ...request, body: '' }
  yield { ...request, body: body.slice(0, Math.floor(body.length / 2)) }
}
