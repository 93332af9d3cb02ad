import { isDeepStrictEqual } from 'node:util'
import {
  ConfigError,
  type ConfigSources,
  type FastCgiOptions,
  type LoadedConfig,
  type Logger,
  OptionError,
  readConfig,
} from '../index.ts'
import { describeFailure } from './failure.ts'

/** What a {@link ConfigReloader} is made with. */
export interface ConfigReloaderOptions {
  readonly path: string
  /** The reading that serves now. */
  readonly loaded: LoadedConfig
  readonly log: Logger
  /** Serves with other options from now on. @throws Error why it cannot: the old ones serve on */
  readonly take: (options: FastCgiOptions) => Promise<void>
}

/** Reads the configuration of a running site again, and has it taken over; a broken one is told of and the old one serves on. */
export class ConfigReloader {
  readonly #options: ConfigReloaderOptions
  /** The options of the file that serve. */
  #serving: FastCgiOptions
  #sources: ConfigSources
  /** Why the file as it was at the last reading does not serve. */
  #refusal: string | null = null
  /** The last of the readings, which take turns. */
  #turn: Promise<void> = Promise.resolve()
  /** The reading that has not begun; whoever asks now is served by it. */
  #next: { forced: boolean } | null = null
  #stopped = false

  constructor(options: ConfigReloaderOptions) {
    this.#options = options
    this.#serving = options.loaded.options
    this.#sources = options.loaded
  }

  /** What the last reading depended on, be it a broken one. */
  get sources(): ConfigSources {
    return this.#sources
  }

  /** Takes the configuration over as it is now, changed or not. Never rejects. */
  reload(): Promise<void> {
    return this.#queue(true)
  }

  /** Takes it over if it says something else than before. Never rejects. */
  refresh(): Promise<void> {
    return this.#queue(false)
  }

  /** Resolves when none is being taken over; none is from now on. */
  stop(): Promise<void> {
    this.#stopped = true
    return this.#turn
  }

  #queue(forced: boolean): Promise<void> {
    if (this.#next !== null) {
      this.#next.forced ||= forced
      return this.#turn
    }
    const next = { forced }
    this.#next = next
    this.#turn = this.#turn.then(() => {
      this.#next = null
      return this.#stopped ? undefined : this.#read(next.forced)
    })
    return this.#turn
  }

  async #read(forced: boolean): Promise<void> {
    const { path, log } = this.#options
    try {
      const loaded = readConfig(path)
      this.#sources = loaded
      if (!forced && isDeepStrictEqual(loaded.options, this.#serving)) return this.#noteSame()
      for (const warning of loaded.warnings) log.warn(warning)
      await this.#options.take(loaded.options)
      this.#serving = loaded.options
      this.#refusal = null
    } catch (error) {
      if (error instanceof ConfigError) this.#sources = error
      this.#noteRefusal(error instanceof OptionError ? `${path}: ${error.message}` : describeFailure(error), forced)
    }
  }

  #noteSame(): void {
    if (this.#refusal === null) return
    this.#refusal = null
    this.#options.log.info('The configuration is again the one that serves')
  }

  /** Told once: other files that change mend nothing. */
  #noteRefusal(refusal: string, forced: boolean): void {
    if (forced || refusal !== this.#refusal) {
      this.#options.log.error(`The configuration is refused, the one before serves on:\n${refusal}`)
    }
    this.#refusal = refusal
  }
}
