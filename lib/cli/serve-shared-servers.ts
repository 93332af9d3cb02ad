import {
  type FastCgiOptions,
  type Logger,
  resolveOptions,
  type ServerOptions,
  type StartedServer,
  startServer,
} from '../index.ts'

/** A server of a file that is to be started here. */
interface Wanted {
  readonly name: string
  readonly command: string | readonly string[]
  readonly processes: number | null
  /** Of the first location that it serves. */
  readonly root: string | null
}

/** Options that workers can serve with, and what these no longer need. */
export interface Shared {
  readonly options: FastCgiOptions
  /** They run until {@link SharedServers.end}: requests may be under way. */
  readonly retired: readonly StartedServer[]
}

/** The servers of a file that have a command: for all workers each is started once, here. */
export class SharedServers {
  readonly #log: Logger
  /** By all that makes them what they are. */
  #current: ReadonlyMap<string, StartedServer> = new Map()
  readonly #retired = new Set<StartedServer>()

  constructor(log: Logger) {
    this.#log = log
  }

  /**
   * Starts those that the options have and no options before them had; the others stay.
   * @throws OptionError, FastCgiError when one cannot be started: all is as before then
   */
  async share(options: FastCgiOptions): Promise<Shared> {
    const next = new Map<string, StartedServer>()
    const addresses = new Map<string, string>()
    try {
      for (const wanted of wantedServers(options)) {
        const key = JSON.stringify(wanted)
        const server = this.#current.get(key) ?? (await this.#start(wanted))
        next.set(key, server)
        addresses.set(wanted.name, server.address)
      }
    } catch (error) {
      await Promise.all([...next].map(([key, server]) => (this.#current.has(key) ? undefined : server.stop())))
      throw error
    }
    const retired = [...this.#current].filter(([key]) => !next.has(key)).map(([, server]) => server)
    for (const server of retired) this.#retired.add(server)
    this.#current = next
    return { options: withAddresses(options, addresses), retired }
  }

  /** Nobody uses them any more. */
  async end(servers: readonly StartedServer[]): Promise<void> {
    await Promise.all(servers.map((server) => server.stop().finally(() => this.#retired.delete(server))))
  }

  async stop(): Promise<void> {
    await this.end([...this.#current.values(), ...this.#retired])
  }

  async #start({ name, command, processes, root }: Wanted): Promise<StartedServer> {
    return await startServer({
      name,
      command,
      ...(processes !== null && { processes }),
      ...(root !== null && { root }),
      log: this.#log,
    })
  }
}

/** The options as the workers will have them, to be checked before anything is started: only the addresses are not yet known. */
export function asShared(options: FastCgiOptions): FastCgiOptions {
  const commands = options.servers?.filter(({ command }) => command !== undefined) ?? []
  return withAddresses(options, new Map(commands.map(({ name }) => [name, '/not-yet-started'])))
}

/** Those of a file that the middleware would start. */
function wantedServers(options: FastCgiOptions): readonly Wanted[] {
  const { servers, locations } = resolveOptions(options)
  return servers.flatMap(({ name, command, processes }) => {
    const root = locations.find((location) => location.servers.includes(name))?.root ?? null
    return command === null ? [] : [{ name, command, processes, root }]
  })
}

function withAddresses(options: FastCgiOptions, addresses: ReadonlyMap<string, string>): FastCgiOptions {
  if (options.servers === undefined) return options
  return { ...options, servers: options.servers.map((server) => withAddress(server, addresses.get(server.name))) }
}

function withAddress(server: ServerOptions, address: string | undefined): ServerOptions {
  if (address === undefined) return server
  const { command: _command, processes: _processes, ...others } = server
  return { ...others, address, restarts: true }
}
