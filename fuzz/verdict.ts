import { marksIn, type PlannedRequest } from './answer-plan.ts'
import { type Answers, fieldOf, type HttpAnswer } from './http-answers.ts'
import type { Expectation } from './oracle.ts'

/** What a client of the hostile backend saw. */
export interface Seen {
  readonly answers: Answers
  readonly hung: boolean
}

/** How the gateway is set up, as far as it matters for what a client may see. */
export interface AnswerRules {
  /** Statuses from 400 on become pages of the host. */
  readonly interceptErrors: boolean
  /** 503 may come at any time: the backend is taken down after failures. */
  readonly takesDown: boolean
}

/** The question that a verdict is about. */
export interface Judged {
  readonly expected: Expectation
  readonly seen: Seen
  readonly request: PlannedRequest
  readonly mark: string
  /** Bits of the answer were changed: its own mark may be another. */
  readonly flipped: boolean
  readonly rules: AnswerRules
}

/** Why what the client saw is a lie, a loss or a hang; null: it is neither. */
export function verdictOf(judged: Judged): string | null {
  const { seen, request } = judged
  if (request.leaveAfter !== null) return null
  if (seen.hung) return 'the client waits for ever'
  if (seen.answers.problem !== null) return `the client cannot read the answer: ${seen.answers.problem}`
  const [answer] = seen.answers.answers
  if (answer === undefined) return mayVanish(judged) ? null : 'the client got no answer'
  const foreign = judged.flipped ? null : foreignMark(answer, judged.mark)
  if (foreign !== null) return `the client got a part of another answer: ${foreign}`
  return answer.complete ? verdictOfComplete(answer, judged) : verdictOfCut(judged)
}

/** A connection that is reset may lose what was sent on it. */
function mayVanish({ request, expected }: Judged): boolean {
  return expected.kind === 'either' || (request.version === '1.0' && expected.kind === 'broken')
}

/** Marks of other cases. */
function foreignMark({ fields, body }: HttpAnswer, mark: string): string | null {
  const text = `${fields.map((field) => field.join(': ')).join('\n')}\n${body.toString('latin1')}`
  return marksIn(text).find((found) => found !== mark) ?? null
}

function verdictOfCut({ expected }: Judged): string | null {
  return expected.kind === 'whole' ? 'the client got a cut answer, the backend had sent all of it' : null
}

function verdictOfComplete(answer: HttpAnswer, judged: Judged): string | null {
  const { expected, request, mark } = judged
  const isScripts = fieldOf(answer, 'x-fuzz') === mark || answer.body.includes(mark)
  if (!isScripts && isGatewayPage(answer, request)) return verdictOfPage(answer, judged)
  if (expected.kind === 'broken')
    return `the client got an answer of ${answer.status} as if it were whole, but the backend sent ${expected.why}`
  if (expected.body !== null && !answer.body.equals(expected.body)) {
    return `the client got ${answer.body.length} bytes of body, the backend meant ${expected.body.length} (or others)`
  }
  if (expected.kind === 'whole' && answer.status !== expected.status) {
    return `the client got the status ${answer.status}, the backend meant ${expected.status}`
  }
  return null
}

/** The plain page of a failure: a status and its name. */
function isGatewayPage({ status, body }: HttpAnswer, { method }: PlannedRequest): boolean {
  const page = method === 'HEAD' || body.toString('latin1').startsWith(`${status} `)
  return status >= 400 && page
}

function verdictOfPage({ status }: HttpAnswer, { expected, rules }: Judged): string | null {
  if (rules.takesDown && status === 503) return null
  // To HEAD, and where a flip has hit the mark, a page of the script's looks like one of the gateway's.
  if (expected.kind === 'either' || (expected.kind === 'whole' && expected.status === status)) return null
  if (status === 500 && !rules.interceptErrors) return 'the gateway failed with 500'
  if (expected.kind !== 'whole') return null
  return `the client got a page of ${status} instead of the backend's answer of ${expected.status}`
}
