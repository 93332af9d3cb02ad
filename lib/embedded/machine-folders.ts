import { readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { EmscriptenFiles } from './emscripten.ts'

/** Folders that PHP has of its own, whatever this machine has there. */
const OWN = new Set(['dev', 'proc', 'sys', 'internal', 'request'])

/** Folders that PHP has of its own, over which this machine's may be laid. */
const COVERED = new Set(['tmp', 'home'])

/** Whether PHP sees this machine's file of that path. */
export function isVisible(path: string): boolean {
  return !OWN.has(path.split('/')[1] ?? '')
}

/**
 * Gives PHP the files of this machine at the paths that they have outside, as php-fpm sees them: an application needs more
 * than its document root (`../vendor`, links into /usr/share, a database beside it).
 */
export function mountMachine(files: EmscriptenFiles): void {
  for (const entry of readdirSync('/', { withFileTypes: true })) {
    const path = join('/', entry.name)
    // A link on which nothing hangs is no folder either.
    if (!isVisible(path) || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) continue
    if (entry.isSymbolicLink() && !COVERED.has(entry.name)) files.symlink(readlinkSync(path), path)
    else mount(files, path)
  }
}

function mount(files: EmscriptenFiles, path: string): void {
  files.mkdirTree(path)
  files.mount(files.filesystems.NODEFS, { root: realpathSync(path) }, path)
}
