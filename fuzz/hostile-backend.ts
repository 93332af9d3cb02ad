import type { Fake } from '../test/support/responder.ts'
import type { FakeConnection, FakeRequest } from '../test/support/responder-connection.ts'
import { type AnswerPlan, encodePlan, stepsOfPlan } from './answer-plan.ts'
import { startCleanFake } from './clean-fake.ts'
import { isExact } from './oracle.ts'
import { play, type Wire } from './played.ts'

/** What became of a plan. */
export interface Played {
  readonly attempts: readonly Attempt[]
}

/** A request that a plan was played to. */
export interface Attempt {
  readonly bytes: Buffer
  readonly id: number
  /** An earlier answer on the connection had more behind its end, or was followed by a close: that may come only now. */
  readonly tainted: boolean
}

interface Waiting {
  readonly plan: AnswerPlan
  readonly attempts: Attempt[]
}

/** A backend that answers each case by its plan, whoever asks for it; what is no case is answered with 200. */
export class HostileBackend {
  readonly #fake: Fake
  readonly #waiting: Map<string, Waiting>

  private constructor(fake: Fake, waiting: Map<string, Waiting>) {
    this.#fake = fake
    this.#waiting = waiting
  }

  static async start(over: 'unix' | 'tcp'): Promise<HostileBackend> {
    const waiting = new Map<string, Waiting>()
    const fake = await startCleanFake((request) => answer(request, waiting), { over, discardStdin: true })
    return new HostileBackend(fake, waiting)
  }

  get address(): string {
    return this.#fake.address
  }

  /** What the gateway did against the protocol, since the last time; null: nothing. */
  problem(): string | null {
    return this.#fake.failures.splice(0).map(String)[0] ?? null
  }

  /** From now on requests for this name are answered so; gives what came of it, which goes on changing until {@link forget}. */
  expect(name: string, plan: AnswerPlan): Played {
    const waiting = { plan, attempts: [] }
    this.#waiting.set(name, waiting)
    return waiting
  }

  forget(name: string): void {
    this.#waiting.delete(name)
  }

  async stop(): Promise<void> {
    this.#fake.failures.splice(0)
    await this.#fake.stop()
  }
}

/** Connections on which more is sent than an answer, or that are closed behind it. */
const tainted = new WeakSet<FakeConnection>()

async function answer(request: FakeRequest, waiting: ReadonlyMap<string, Waiting>): Promise<void> {
  const query = request.params.get('QUERY_STRING') ?? ''
  const planned = waiting.get(query)
  if (planned === undefined) {
    await wholeRequest(request)
    return request.answer(`Content-Type: text/plain\r\n\r\ngood ${query}`)
  }
  const bytes = encodePlan(planned.plan, request.id)
  planned.attempts.push({ bytes, id: request.id, tainted: tainted.has(request.connection) })
  if (planned.plan.ending !== 'open' || !isExact(bytes, request.id)) tainted.add(request.connection)
  if (!planned.plan.early) await wholeRequest(request)
  // What is sent may not be what is said: the fake must not wait for an end that it was told of.
  request.ended = true
  await play(wireOf(request), stepsOfPlan(planned.plan, bytes))
}

async function wholeRequest(request: FakeRequest): Promise<void> {
  await request.connection.until(() => request.stdinEnded || request.connection.closed)
}

function wireOf({ connection }: FakeRequest): Wire {
  return {
    get gone() {
      return connection.closed
    },
    // A gateway that has left does not take the rest: nobody waits for it.
    write: (bytes) => Promise.race([connection.send(bytes), connection.until(() => connection.closed)]),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    halfClose: () => connection.halfClose(),
    close: () => connection.close(),
    reset: () => connection.reset(),
  }
}
