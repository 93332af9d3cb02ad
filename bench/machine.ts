import { execFileSync, spawnSync } from 'node:child_process'
import { availableParallelism, cpus, release, totalmem } from 'node:os'

/** What the figures depend on; it stands in the JSON. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** The gateway had a core of its own. */
  readonly pinned: boolean
  readonly commit: string
}

const TASKSET = 'taskset'
const GATEWAY_CORE = '0'
const OTHER_CORE = '1'

/** Puts the gateway on one core and everything else on the other, where the system can. */
export class Cores {
  readonly pinned: boolean

  /** Moves this process, and with it every child but the gateway, to the other core. */
  constructor() {
    const moved = availableParallelism() > 1 && spawnSync(TASKSET, ['-a', '-p', '-c', OTHER_CORE, String(process.pid)])
    this.pinned = moved !== false && moved.status === 0
  }

  /** A command, on the gateway's core. */
  gateway(command: readonly string[]): readonly [string, ...string[]] {
    const [file = '', ...args] = command
    return this.pinned ? [TASKSET, '-c', GATEWAY_CORE, file, ...args] : [file, ...args]
  }
}

/** Of the clone that a build lies in. */
function commitOf(dist: string): string {
  try {
    const options = { cwd: dist, encoding: 'utf8', stdio: 'pipe' } as const
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim()
    const changed = execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], options) !== ''
    return changed ? `${commit} and changes` : commit
  } catch {
    // Not a clone.
    return 'unknown'
  }
}

/** Reads what this machine is, and what was built. */
export function describeMachine(pinned: boolean, dist: string): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    pinned,
    commit: commitOf(dist),
  }
}
