import { setTimeout as wait } from 'node:timers/promises'
import type { GatewayReport } from './gateway-process.ts'
import type { LoadReport } from './load.ts'
import type { Pool } from './pool.ts'
import type { Scene } from './scene.ts'

/** Something that happens to a pool. */
interface Phase {
  readonly title: string
  /** Lines in php-fpm's `[global]`. */
  readonly directives?: readonly string[]
  /** To all pools at once, instead of one after the other. */
  readonly together?: boolean
  /** Resolves when the pool can serve again; `outage` are the milliseconds in between. */
  readonly strike: ((pool: Pool, outage: number) => Promise<void>) | null
}

/** What a phase did to the clients, and to the gateway. */
export interface PhaseResult extends LoadReport, GatewayReport {
  readonly title: string
  /** POSTs that ran more than once. */
  readonly postsRunTwice: number
  /** Milliseconds from when a pool could serve again until it did, of the pool that took longest; null: it never was away. */
  readonly back: number | null
}

/** Of a phase: before something happens, and while a pool is gone. The rest is for its return and for what comes late. */
const QUIET_PART = 0.2
const OUTAGE_PART = 0.3

/** Milliseconds within which a pool must be given requests again, however loaded the machine is. */
const DEADLINE = 60_000

export const PHASES: readonly Phase[] = [
  { title: 'nothing', strike: null },
  {
    title: 'kill -9',
    async strike(pool, outage) {
      await pool.crash()
      await wait(outage)
      await pool.start()
    },
  },
  { title: 'SIGUSR2', strike: (pool) => pool.reload() },
  {
    title: 'SIGUSR2, process_control_timeout 2s',
    directives: ['process_control_timeout = 2s'],
    strike: (pool) => pool.reload(),
  },
  { title: 'SIGUSR2 of all three at once', together: true, strike: (pool) => pool.reload() },
  { title: 'SIGTERM, start', strike: (pool, outage) => restart(pool, 'SIGTERM', outage) },
  { title: 'SIGQUIT, start', strike: (pool, outage) => restart(pool, 'SIGQUIT', outage) },
]

async function restart(pool: Pool, signal: 'SIGTERM' | 'SIGQUIT', outage: number): Promise<void> {
  await pool.stop(signal)
  await wait(outage)
  await pool.start()
}

/** Lets it happen to each pool; `milliseconds` for each time. */
export async function runPhase(scene: Scene, phase: Phase, milliseconds: number): Promise<PhaseResult> {
  const { pools, load, gateway } = scene
  for (const pool of pools) await prepare(scene, pool, phase.directives ?? [])
  const twiceBefore = countTwice(scene)
  load.report()
  await gateway.report()
  const back: number[] = []
  for (const struck of phase.together === true ? [pools] : pools.map((pool) => [pool])) {
    back.push(await strike(scene, { ...phase, struck, milliseconds }))
  }
  const report = await gateway.report()
  return {
    title: phase.title,
    ...load.report(),
    ...report,
    postsRunTwice: countTwice(scene) - twiceBefore,
    back: phase.strike === null ? null : Math.max(...back),
  }
}

/** A phase must not count what preparing it has cost. */
async function prepare({ load }: Scene, pool: Pool, directives: readonly string[]): Promise<void> {
  const before = pool.children
  await pool.configure(directives)
  const isSame = pool.children.some((pid) => before.includes(pid))
  if (!isSame) await inTime(load.answerFrom(pool.name, before), pool)
}

/** When, and to whom, something happens. */
interface Turn extends Phase {
  readonly struck: readonly Pool[]
  readonly milliseconds: number
}

async function strike(scene: Scene, turn: Turn): Promise<number> {
  const { struck, milliseconds } = turn
  const end = performance.now() + milliseconds
  await wait(milliseconds * QUIET_PART)
  const back = await Promise.all(struck.map((pool) => strikeOne(scene, turn, pool)))
  await wait(Math.max(0, end - performance.now()))
  return Math.max(...back)
}

async function strikeOne({ load }: Scene, turn: Turn, pool: Pool): Promise<number> {
  if (turn.strike === null) return 0
  const answered = load.answerFrom(pool.name, pool.children)
  await turn.strike(pool, turn.milliseconds * OUTAGE_PART)
  const started = performance.now()
  return Math.max(0, (await inTime(answered, pool)) - started)
}

async function inTime<T>(promise: Promise<T>, pool: Pool): Promise<T> {
  const stop = new AbortController()
  const late = wait(DEADLINE, undefined, stop).then(() => {
    throw new Error(`${pool.name} got no request within ${DEADLINE} ms`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    late.catch(() => undefined)
    stop.abort()
  }
}

function countTwice(scene: Scene): number {
  return [...scene.postsRun().values()].filter((runs) => runs > 1).length
}
