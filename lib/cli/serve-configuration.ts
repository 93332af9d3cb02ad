import { type FastCgiOptions, type LoadedConfig, type Logger, readConfig } from '../index.ts'
import { describeFailure } from './failure.ts'
import { configuredOptions, withoutNews } from './serve-backend.ts'
import type { ServeCommand } from './serve-command.ts'
import { ConfigReloader } from './serve-reload.ts'
import { checkOptions } from './serve-running.ts'
import type { Following, RunningSite, SiteBackend, SiteSetup } from './serve-setup.ts'
import { asShared, SharedServers } from './serve-shared-servers.ts'
import { ConfigWatch } from './serve-watch.ts'

/** What a {@link ConfiguredBackend} is made with. */
interface Parts {
  readonly command: ServeCommand
  readonly path: string
  readonly log: Logger
}

/** Reads a configuration file and starts what its workers share. @throws ConfigError, OptionError, FastCgiError */
export async function openConfiguration(command: ServeCommand, path: string, log: Logger): Promise<SiteBackend> {
  const backend = new ConfiguredBackend({ command, path, log }, readConfig(path))
  await backend.start()
  return backend
}

/** The servers of a configuration file. The middleware starts those with a command by itself; for several workers they are started here. */
class ConfiguredBackend implements SiteBackend {
  readonly label: null = null
  readonly description: string
  options: FastCgiOptions
  readonly #parts: Parts
  readonly #loaded: LoadedConfig
  readonly #shared: SharedServers

  constructor(parts: Parts, loaded: LoadedConfig) {
    this.description = `the servers of ${parts.path}`
    this.options = configuredOptions(parts.command, loaded.options)
    this.#parts = parts
    this.#loaded = loaded
    this.#shared = new SharedServers(withoutNews(parts.log))
  }

  async start(): Promise<void> {
    for (const warning of this.#loaded.warnings) this.#parts.log.warn(warning)
    if (this.#parts.command.workers > 1) this.options = (await this.#shared.share(this.options)).options
  }

  follow(site: RunningSite): Following {
    const { command, path, log } = this.#parts
    const loaded = this.#loaded
    const reloader = new ConfigReloader({ path, loaded, log, take: (options) => this.#take(site, options) })
    const watch = command.watch
      ? new ConfigWatch({ sources: () => reloader.sources, onChange: () => reloader.refresh() })
      : null
    return {
      reload: () => void reloader.reload(),
      stop: () => {
        watch?.stop()
        return reloader.stop()
      },
    }
  }

  async stop(): Promise<void> {
    await this.#shared.stop()
  }

  async #take(site: RunningSite, loaded: FastCgiOptions): Promise<void> {
    const options = configuredOptions(this.#parts.command, loaded)
    if (this.#parts.command.workers === 1) return void (await site.reload(setupOf(options), []))
    await checkOptions(asShared(options), false)
    const shared = await this.#shared.share(options)
    const retired = shared.retired.map(({ address }) => address)
    const { left } = await site.reload(setupOf(shared.options), retired)
    left
      .then(() => this.#shared.end(shared.retired))
      .catch((error: unknown) => this.#parts.log.error(`A server could not be stopped: ${describeFailure(error)}`))
  }
}

function setupOf(options: FastCgiOptions): SiteSetup {
  return { label: null, options }
}
