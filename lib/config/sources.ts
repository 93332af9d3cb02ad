import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ConfigSources } from '../errors.ts'

/** Looks at the disk and remembers where: whatever reading a configuration depends on. */
export class Sources implements ConfigSources {
  readonly #files = new Set<string>()
  readonly #directories = new Set<string>()

  get files(): readonly string[] {
    return [...this.#files]
  }

  get directories(): readonly string[] {
    return [...this.#directories]
  }

  /** A file that is read now, there or not. */
  note(file: string): void {
    this.#files.add(resolve(file))
    if (!existsSync(file)) this.#noteFolder(dirname(resolve(file)))
  }

  /** Whether a file is there; it is read, or would be. */
  hasFile(file: string): boolean {
    this.note(file)
    return existsSync(file)
  }

  /** Whether something is there. */
  has(path: string): boolean {
    const isThere = existsSync(path)
    if (!isThere) this.#noteFolder(dirname(resolve(path)))
    return isThere
  }

  /** The names in a folder, none when it is not there. */
  namesIn(folder: string): ReadonlyArray<{ readonly name: string; readonly isDirectory: boolean }> {
    this.#noteFolder(resolve(folder))
    if (!isFolder(folder)) return []
    return readdirSync(folder, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
    }))
  }

  /** A folder that is not there will appear in one that is. */
  #noteFolder(folder: string): void {
    let nearest = folder
    while (dirname(nearest) !== nearest && !isFolder(nearest)) nearest = dirname(nearest)
    this.#directories.add(nearest)
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
