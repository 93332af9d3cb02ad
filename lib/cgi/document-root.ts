import { realpath, type Stats, stat } from 'node:fs'
import { sep } from 'node:path'
import { FastCgiError } from '../errors.ts'
import { unicodeText, utf8Bytes } from './path.ts'
import { isSpelledForWindows } from './windows-name.ts'

/** What a name is on disk: `other` is a device, a socket or a FIFO; `absent` also what may not be looked at. */
export type FileKind = 'file' | 'directory' | 'other' | 'absent'

/** What was found under a root. Byte strings. */
export interface FoundFile {
  readonly kind: FileKind
  readonly filename: string
  /** The root as the backend is told it. */
  readonly root: string
}

/** What {@link DocumentRoot} needs of a location. */
export interface DocumentRootOptions {
  /** Absolute, Unicode. */
  readonly root: string
  readonly symlinks: 'follow' | 'inside'
  readonly resolveRoot: boolean
}

/** How long the real path of a root is believed, in milliseconds: the longest that a switched deployment goes unseen. */
const REAL_ROOT_LIFETIME = 1000

/**
 * How long a file that was found is believed to be there, in milliseconds. A look at the disk goes through Node's thread pool and is by
 * far the dearest step of a small request. That nothing is there is never believed: what has just been made is found. A script that is
 * gone since is the backend's 404.
 */
const FILE_LIFETIME = 1000

/** Files remembered at once; only names of files that exist come here. */
const MOST_FILES = 4096

/**
 * Errors that say "there is no such file for us". EACCES and EPERM are among them: express.static could not read the file
 * either, so that passing the request on leaks nothing.
 */
const NOT_THERE: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'EACCES',
  'EPERM',
])

function localFileError(filename: string, error: NodeJS.ErrnoException): FastCgiError {
  const detail = `The disk gave ${error.code ?? error.message} for ${filename}: see whether the file system is well and mounted`
  return new FastCgiError('ERR_FCGI_LOCAL_FILE', { detail, cause: error })
}

/** A byte string as Node's file functions take it: they would write a string's characters as UTF-8. */
function fileName(bytes: string): string | Buffer {
  return /[^\0-\x7f]/.test(bytes) ? Buffer.from(bytes, 'latin1') : bytes
}

function kindOfStats(stats: Stats): FileKind {
  if (stats.isFile()) return 'file'
  return stats.isDirectory() ? 'directory' : 'other'
}

function kindOf(filename: string): Promise<FileKind> {
  return new Promise((resolve, reject) => {
    stat(fileName(filename), (error, stats) => {
      if (error === null) resolve(kindOfStats(stats))
      else if (NOT_THERE.has(error.code)) resolve('absent')
      else reject(localFileError(filename, error))
    })
  })
}

/** The real path of a name as a byte string, or null where there is none. */
export function realPathOf(filename: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    realpath.native(fileName(filename), { encoding: 'buffer' }, (error, real) => {
      if (error === null) resolve(real.toString('latin1'))
      else if (NOT_THERE.has(error.code)) resolve(null)
      else reject(localFileError(filename, error))
    })
  })
}

/** The root of a location's scripts on this disk. Remembers for a second which files are there, and its real path. */
export class DocumentRoot {
  readonly #root: string
  readonly #symlinks: 'follow' | 'inside'
  readonly #resolveRoot: boolean
  readonly #now: () => number
  readonly #isWindows: boolean
  #real: Promise<string | null> | undefined
  #realUntil = 0
  /** Regular files by path, believed until {@link #filesUntil}. */
  readonly #files = new Map<string, FoundFile>()
  #filesUntil = 0

  constructor(
    options: DocumentRootOptions,
    now: () => number = Date.now,
    platform: NodeJS.Platform = process.platform,
  ) {
    this.#root = utf8Bytes(options.root)
    this.#symlinks = options.symlinks
    this.#resolveRoot = options.resolveRoot
    this.#now = now
    this.#isWindows = platform === 'win32'
  }

  /** A path's name under the configured root, without a look at the disk. */
  name(path: string): { readonly filename: string; readonly root: string } {
    return { filename: join(this.#root, path), root: this.#root }
  }

  /** The regular file that a path was a moment ago, or null: ask {@link find}. */
  recall(path: string): FoundFile | null {
    const file = this.#files.get(path)
    if (file === undefined) return null
    if (this.#now() < this.#filesUntil) return file
    this.#files.clear()
    return null
  }

  /**
   * What a path under the root is. With symlinks `inside`, what leaves the real root is absent; on Windows, what would be
   * another file there than its name says.
   */
  async find(path: string): Promise<FoundFile> {
    const asked = this.#now()
    const found = await this.#lookUp(path)
    if (found.kind === 'file') this.#remember(path, found, asked)
    return found
  }

  /** All are forgotten together, a lifetime after the first: no clock for each. */
  #remember(path: string, file: FoundFile, asked: number): void {
    if (this.#now() >= this.#filesUntil || this.#files.size >= MOST_FILES) this.#files.clear()
    // What was found under a real root is believed no longer than that root is.
    const until = asked + FILE_LIFETIME
    if (this.#files.size === 0) this.#filesUntil = this.#resolveRoot ? Math.min(until, this.#realUntil) : until
    this.#files.set(path, file)
  }

  async #lookUp(path: string): Promise<FoundFile> {
    const root = this.#resolveRoot ? ((await this.#realRoot()) ?? this.#root) : this.#root
    const filename = join(root, path)
    if (this.#isWindows && !isSpelledForWindows(unicodeText(path))) return { kind: 'absent', filename, root }
    const kind = await kindOf(filename)
    if (kind === 'absent' || this.#symlinks === 'follow') return { kind, filename, root }
    return { kind: (await this.#isInside(filename)) ? kind : 'absent', filename, root }
  }

  /** What a path under the root is to a reader that follows every link, as express.static does. */
  kind(path: string): Promise<FileKind> {
    return kindOf(join(this.#root, path))
  }

  async #isInside(filename: string): Promise<boolean> {
    const [root, real] = await Promise.all([this.#realRoot(), realPathOf(filename)])
    if (root === null || real === null) return false
    return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)
  }

  #realRoot(): Promise<string | null> {
    const now = this.#now()
    if (this.#real !== undefined && now < this.#realUntil) return this.#real
    this.#realUntil = now + REAL_ROOT_LIFETIME
    this.#real = realPathOf(this.#root)
    return this.#real
  }
}

function join(root: string, path: string): string {
  return root.endsWith('/') ? root + path.slice(1) : root + path
}
