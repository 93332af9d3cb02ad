import { execFile } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { killGroup } from './process-group.ts'

/** A process that a supervisor has started: the first of a group of its own. */
export interface LedgerEntry {
  readonly pid: number
  /** Program and parameters with spaces between, as `ps` shows them. */
  readonly command: string
}

const FILE = 'processes.json'

/** Writes down which processes run, for whoever must end them when their supervisor was killed. */
export function writeLedger(directory: string, entries: readonly LedgerEntry[]): void {
  const written = join(directory, `${FILE}.new`)
  writeFileSync(written, JSON.stringify(entries), { mode: 0o600 })
  renameSync(written, join(directory, FILE))
}

/** Ends the processes that a directory tells of, where they are still what they were: numbers are used again. */
export async function killOrphans(directory: string): Promise<void> {
  for (const entry of readLedger(directory)) {
    const shown = await commandOf(entry.pid)
    if (shown !== null && isSameCommand(shown, entry.command, directory)) killGroup(entry.pid, 'SIGKILL')
  }
}

/** php-fpm calls itself by the path of its configuration, a script stands behind its interpreter. */
function isSameCommand(shown: string, command: string, directory: string): boolean {
  return shown === command || shown.endsWith(` ${command}`) || shown.includes(`${directory}/`)
}

/** What `ps` shows of a process, on Linux and macOS alike; null: there is none, or no `ps` to ask. */
async function commandOf(pid: number): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)])
    return stdout.trim()
  } catch {
    return null // ps fails for a number that no process has
  }
}

function readLedger(directory: string): readonly LedgerEntry[] {
  try {
    const entries: unknown = JSON.parse(readFileSync(join(directory, FILE), 'utf8'))
    return Array.isArray(entries) ? entries.filter(isEntry) : []
  } catch {
    return [] // nothing was started, or it is removed already
  }
}

function isEntry(value: unknown): value is LedgerEntry {
  const { pid, command } = (value ?? {}) as Partial<LedgerEntry>
  return Number.isSafeInteger(pid) && Number(pid) > 1 && typeof command === 'string' && command !== ''
}
