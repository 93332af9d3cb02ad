import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Where sessions, uploads and compiled scripts are. */
export interface PrivateDirectory {
  readonly path: string
  /** Removes it, if it is a temporary one. */
  remove(): void
}

const PREFIX = 'express-fastcgi-php-'

/** The directory given, or a temporary one, readable by us alone; those of programs that were killed go now. */
export function privateDirectory(given: string | null): PrivateDirectory {
  if (given !== null) {
    const path = resolve(given)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return { path, remove: () => undefined }
  }
  for (const name of readdirSync(tmpdir())) if (isAbandoned(name)) removeTree(join(tmpdir(), name))
  const path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  return { path, remove: () => removeTree(path) }
}

/** Ours, and its program is gone. */
function isAbandoned(name: string): boolean {
  const [, pid] = /^express-fastcgi-php-(\d+)-\w+$/.exec(name) ?? []
  if (pid === undefined || isAlive(Number(pid))) return false
  const found = lstatSync(join(tmpdir(), name), { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === process.getuid?.()
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}
