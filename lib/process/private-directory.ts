import { chownSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'express-fastcgi-run-'

/** Of the process that made it, so that another one can tell whether it is still needed. */
const NAME = /^express-fastcgi-run-(\d+)-/

/** Makes a directory of mode 0700 for the sockets and files of one backend. Unix socket paths are short: it is as well. */
export function createPrivateDirectory(): string {
  reapDirectories()
  return mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
}

/** Hands a directory to the user that a backend runs as. */
export function giveDirectory(path: string, owner: { readonly uid: number; readonly gid: number }): void {
  chownSync(path, owner.uid, owner.gid)
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true })
}

/** Removes what processes of ours left that were killed without a chance to do so. */
function reapDirectories(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(NAME.exec(name)?.[1])
    if (Number.isNaN(pid) || isAlive(pid)) continue
    const path = join(tmpdir(), name)
    if (isOurs(path)) removeDirectory(path)
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

function isOurs(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === (process.getuid?.() ?? stat.uid)
}
