import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary directory (0700) that goes when the test process goes, however that ends. */
export interface PrivateDirectory {
  readonly path: string
  /** The group of processes that lives in the directory and dies with it. */
  adopt(group: number): void
  /** Kills the group that was adopted and removes everything; may be called twice. */
  remove(): void
}

/**
 * Outlives the test process, SIGKILL included: its stdin ends with that process, and then it cleans up. The first line says
 * which group of processes to kill.
 */
const WATCHDOG =
  'read -r group; cat >/dev/null; [ -z "$group" ] || kill -s KILL -- "-$group"; sleep 0.2; rm -rf -- "$1"'

const open = new Set<PrivateDirectory>()
process.on('exit', () => {
  for (const directory of open) directory.remove()
})

/** Makes one; the name is kept short, because a unix socket's path has 107 bytes. */
export function privateDirectory(name: string): PrivateDirectory {
  const path = mkdtempSync(join(tmpdir(), `fcgi-${name}-`))
  const watchdog = spawn('sh', ['-c', WATCHDOG, 'watchdog', path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  watchdog.stdin.on('error', () => undefined)
  if ('unref' in watchdog.stdin && typeof watchdog.stdin.unref === 'function') watchdog.stdin.unref()
  let adopted: number | null = null
  const directory: PrivateDirectory = {
    path,
    adopt(group) {
      adopted = group
      watchdog.stdin.write(`${group}\n`)
    },
    remove() {
      if (!open.delete(directory)) return
      if (adopted !== null) signalGroup(adopted, 'SIGKILL')
      watchdog.kill('SIGKILL')
      rmSync(path, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  open.add(directory)
  return directory
}

/** Signals every process of a group; one that has ended is no mistake. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
