import { readdir, stat } from 'node:fs/promises'
import type { ConfigSources } from '../index.ts'

/** What to look at, and what to do when it has changed. */
export interface ConfigWatchOptions {
  /** Asked each time: another reading may have other files. */
  readonly sources: () => ConfigSources
  /** Must not reject. The next look is after it. */
  readonly onChange: () => Promise<void>
  /** From one look to the next, milliseconds. Default 1 s. */
  readonly interval?: number
  /** What has changed must stay as it is for so long: who writes it may not be at its end. Milliseconds. Default 200. */
  readonly settling?: number
}

/**
 * Looks at the files of a configuration again and again. Names alone tell nothing: editors put another file in the place of the
 * old one, and a ConfigMap of Kubernetes turns a link two directories away; and the system's own watching does not reach network
 * file systems and the shared folders of containers. A few stat() a second do.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions
  readonly #interval: number
  readonly #settling: number
  /** As it was before the last reading. At the start nothing: what has changed since the first reading is noticed, too. */
  #known: string | null = null
  /** As it was at the last look, if that was not what is known. */
  #changed: string | null = null
  #timer: NodeJS.Timeout | null = null
  #stopped = false

  constructor(options: ConfigWatchOptions) {
    this.#options = options
    this.#interval = options.interval ?? 1_000
    this.#settling = options.settling ?? 200
    this.#lookLater()
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #lookLater(): void {
    if (this.#stopped) return
    const pause = this.#changed === null ? this.#interval : this.#settling
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#lookLater()), pause)
  }

  async #look(): Promise<void> {
    const seen = await fingerprintOf(this.#options.sources())
    if (this.#stopped) return
    const isSettled = seen === this.#changed
    this.#changed = seen === this.#known || isSettled ? null : seen
    if (!isSettled) return
    // From before the reading: what changes while it is read is another change.
    this.#known = seen
    await this.#options.onChange()
  }
}

async function fingerprintOf({ files, directories }: ConfigSources): Promise<string> {
  const marks = await Promise.all([...files.map(markOfFile), ...directories.map(markOfDirectory)])
  return marks.join('\n')
}

async function markOfFile(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code}`
  }
}

async function markOfDirectory(path: string): Promise<string> {
  try {
    return JSON.stringify([path, ...(await readdir(path)).sort()])
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code}`
  }
}
