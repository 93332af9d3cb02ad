import { makePlan, makeRequest } from './answer-grammar.ts'
import { type AnswerPlan, markOf, type PlannedRequest } from './answer-plan.ts'
import { BACKEND_SETUPS, type BackendSetup, gatewaySetupOf } from './backend-setups.ts'
import { GatewayProcess } from './gateway-process.ts'
import { type Attempt, HostileBackend, type Played } from './hostile-backend.ts'
import { type Expectation, expectationOf, isExact } from './oracle.ts'
import { askHttp1, askHttp2, type Question } from './ordinary-client.ts'
import type { Random } from './random.ts'
import type { Setting, Side } from './side.ts'
import { simplerAnswers } from './simpler-answers.ts'
import { type Seen, verdictOf } from './verdict.ts'

/** An ordinary request and the answer that a hostile backend gives to it. */
export interface AnswerCase {
  readonly request: PlannedRequest
  readonly plan: AnswerPlan
}

/** A hostile backend behind a gateway with ordinary clients. */
export class BackendSide implements Side<AnswerCase> {
  readonly name = 'backend'
  readonly settings: readonly string[] = Object.keys(BACKEND_SETUPS)

  make(random: Random, caseNumber: number): AnswerCase {
    return { request: makeRequest(random), plan: makePlan(random, caseNumber) }
  }

  simpler(one: AnswerCase): Iterable<AnswerCase> {
    return simplerAnswers(one)
  }

  async open(name: string): Promise<Setting<AnswerCase>> {
    const setup = BACKEND_SETUPS[name]
    if (setup === undefined) throw new Error(`There is no setting ${name}`)
    const backend = await HostileBackend.start(setup.over)
    const gateway = await GatewayProcess.start(gatewaySetupOf(setup, backend.address))
    const setting = new BackendSetting(setup, gateway, backend)
    for (let warm = 0; warm < 20; warm += 1) await setting.probe()
    const problem = await setting.check()
    if (problem !== null) throw new Error(problem)
    return setting
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const GOOD: PlannedRequest = {
  method: 'GET',
  version: '1.1',
  bodyLength: 0,
  chunked: false,
  deaf: 0,
  followed: false,
  leaveAfter: null,
}

class BackendSetting implements Setting<AnswerCase> {
  readonly #setup: BackendSetup
  readonly #gateway: GatewayProcess
  readonly #backend: HostileBackend
  #runs = 0

  constructor(setup: BackendSetup, gateway: GatewayProcess, backend: HostileBackend) {
    this.#setup = setup
    this.#gateway = gateway
    this.#backend = backend
  }

  async run({ request, plan }: AnswerCase, caseNumber: number): Promise<string | null> {
    // A case that is played again, in smaller and smaller forms, is not to get what an earlier form left.
    this.#runs += 1
    const name = `case-${caseNumber}-${this.#runs}`
    const played = this.#backend.expect(name, plan)
    try {
      const seen = await this.#ask({ request, name })
      return this.#judge({ request, plan }, { caseNumber, name, played, seen })
    } finally {
      this.#backend.forget(name)
    }
  }

  async check(): Promise<string | null> {
    const problem = (await this.#gateway.problem()) ?? this.#backend.problem()
    return problem ?? (await this.probe())
  }

  /** A good request; while a server is down, a few of them. */
  async probe(): Promise<string | null> {
    let text = 'nothing'
    for (let attempt = 0; attempt < (this.#setup.takesDown ? 50 : 1); attempt += 1) {
      this.#runs += 1
      const name = `probe-${this.#runs}`
      const { answers } = await this.#ask({ request: GOOD, name })
      const [answer] = answers.answers
      text = `${answer?.status} ${answer?.body.toString('latin1')}`
      if (answer?.complete === true && text === `200 good ${name}`) return null
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return `the next good request got ${JSON.stringify(text.slice(0, 500))}`
  }

  async close(): Promise<void> {
    await this.#gateway.stop()
    await this.#backend.stop()
  }

  #ask(question: Question): Promise<Seen> {
    return this.#setup.host === 'http2'
      ? askHttp2(this.#gateway.port, question)
      : askHttp1(this.#gateway.port, question)
  }

  #judge({ request, plan }: AnswerCase, result: Result): string | null {
    const { caseNumber, name, played, seen } = result
    const last = played.attempts.at(-1)
    const expected = withDoubts(
      last === undefined ? UNASKED : expectationOf(last.bytes, { id: last.id, method: request.method }),
      { plan, request, setup: this.#setup, tainted: last?.tainted ?? false },
    )
    const isWhole = expected.kind === 'whole' && this.#setup.host !== 'http2'
    const flipped = plan.flips.length > 0
    return (
      verdictOfAttempts(request, played, expected) ??
      verdictOf({ expected, seen, request, mark: markOf(caseNumber), flipped, rules: this.#setup }) ??
      (isWhole ? verdictOfNext(seen, { request, name, mayFail: mayTakeNextAlong(last, this.#setup) }) : null)
    )
  }
}

interface Result {
  readonly caseNumber: number
  readonly name: string
  readonly played: Played
  readonly seen: Seen
}

/** The gateway has not come to the backend. */
const UNASKED: Expectation = { kind: 'broken', why: 'nothing, as it was not asked' }

interface Circumstances {
  readonly plan: AnswerPlan
  readonly request: PlannedRequest
  readonly setup: BackendSetup
  readonly tainted: boolean
}

/** Bytes: a head that has 64 KiB as nghttp2 counts them is a 502. */
const LONGEST_HTTP2_HEAD = 50_000

/** Where a whole answer may be lost on the way, and it is nobody's fault. */
function withDoubts(expected: Expectation, { plan, request, setup, tainted }: Circumstances): Expectation {
  if (expected.kind !== 'whole') return expected
  if (tainted) return { kind: 'either', why: 'something left on the connection', body: expected.body }
  if (setup.host === 'http2' && expected.headLength > LONGEST_HTTP2_HEAD) {
    return { kind: 'either', why: 'a head that HTTP/2 does not take', body: expected.body }
  }
  if (plan.ending === 'open') return expected
  // Known and documented: an application that closes with the body unread can lose its answer (docs/errors.md).
  if (plan.early && request.bodyLength > 0)
    return { kind: 'either', why: 'closed with the body unread', body: expected.body }
  // A reset takes along what the other end has not read.
  if (plan.ending === 'reset' && setup.over === 'tcp') return { kind: 'either', why: 'a reset', body: expected.body }
  return expected
}

/** What is not idempotent runs once, unless the backend said that it did not run. */
function verdictOfAttempts({ method }: PlannedRequest, { attempts }: Played, expected: Expectation): string | null {
  if (attempts.length < 2 || (method !== 'POST' && method !== 'PATCH')) return null
  if (expected.kind === 'broken' && /protocolStatus [12]$/.test(expected.why)) return null
  return `a ${method} was sent ${attempts.length} times`
}

/**
 * How the next request may fail: where the backend was taken down; and where there was more behind the end of the answer, which may come so late
 * that the connection was kept, and then passes for nothing, but costs the request that is on it.
 */
function mayTakeNextAlong(last: Attempt | undefined, { takesDown }: BackendSetup): (status: number) => boolean {
  const hasMore = last !== undefined && !isExact(last.bytes, last.id)
  return (status) => (takesDown && status === 503) || (hasMore && status === 502)
}

/** A whole answer must not take the next request on the connection along. */
function verdictOfNext(
  { answers: { answers } }: Seen,
  { request, name, mayFail }: { request: PlannedRequest; name: string; mayFail: (status: number) => boolean },
): string | null {
  const [first, next] = answers
  if (!request.followed || request.leaveAfter !== null || first?.complete !== true) return null
  if (first.fields.some(([field, value]) => field === 'connection' && value === 'close')) return null
  if (next === undefined) return 'the next request on the connection was not answered'
  if (mayFail(next.status)) return null
  const body = next.body.toString('latin1')
  return next.complete && body === `good next-of-${name}`
    ? null
    : `the next request on the connection got ${JSON.stringify(body.slice(0, 200))}`
}
