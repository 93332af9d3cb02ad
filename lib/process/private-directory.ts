import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killOrphans } from './ledger.ts'

const PREFIX = 'express-fastcgi-run-'

/** Of the process that made it, so that another one can tell whether it is still needed. */
const NAME = /^express-fastcgi-run-(\d+)-/

/**
 * A path for the directory of one backend, which nobody can guess and nothing makes yet. Unix socket paths are short: it is as
 * well.
 */
export function privatePath(): string {
  return join(tmpdir(), `${PREFIX}${process.pid}-${randomBytes(6).toString('hex')}`)
}

/** Makes it, for us alone. */
export function createDirectory(path: string): void {
  mkdirSync(path, { mode: 0o700 })
}

/** Removes the directory and what is in it; one that is gone is no mistake. */
export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}

/** Ends and removes what gateways of ours left that were killed together with their supervisor. */
export async function reapDirectories(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(NAME.exec(name)?.[1])
    const path = join(tmpdir(), name)
    if (Number.isNaN(pid) || isAlive(pid) || !isOurs(path)) continue
    await killOrphans(path)
    removeDirectory(path)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: alive, and somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Not a link, and not of somebody who wants something removed or killed. */
function isOurs(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === (process.getuid?.() ?? stat.uid)
}
