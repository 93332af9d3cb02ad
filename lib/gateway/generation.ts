import { BackendGroup } from '../backend/group.ts'
import type { Server } from '../backend/server.ts'
import { OptionError } from '../errors.ts'
import type { Gateway } from '../http/handler.ts'
import { Resolver } from '../http/resolution/resolution.ts'
import type { ResolvedLocation, ResolvedOptions } from '../options/types.ts'
import { Drain } from './drain.ts'
import type { LocationStatus } from './status.ts'

/** One configuration at work. A request is served by the one with which it began, whatever is loaded meanwhile. */
export class Generation {
  readonly options: ResolvedOptions
  /** In the order of the file. */
  readonly servers: readonly Server[]
  readonly gateway: Gateway
  readonly #groups: ReadonlyMap<ResolvedLocation, BackendGroup>
  readonly #drain: Drain = new Drain()

  /** @throws OptionError for a location that cannot be */
  constructor(options: ResolvedOptions, servers: readonly Server[]) {
    this.options = options
    this.servers = servers
    const resolver = new Resolver(options.locations)
    // Groups are told of from now on: nothing may fail behind them.
    const members = options.locations.map((location) => [location, membersOf(location, servers)] as const)
    this.#groups = new Map(
      members.map(([location, group]) => {
        const { name, balance } = location
        return [location, new BackendGroup({ name, balance, servers: group })]
      }),
    )
    this.gateway = {
      trustProxy: options.trustProxy,
      log: options.logger,
      resolve: (facts) => resolver.resolve(facts),
      groupOf: (location) => this.#groupOf(location),
    }
  }

  enter(): void {
    this.#drain.enter()
  }

  /** For each {@link enter} once. */
  readonly leave = (): void => this.#drain.leave()

  /** Resolves when the last of its requests has left; its servers hear no more of it then. */
  async end(): Promise<void> {
    await this.#drain.close()
    for (const group of this.#groups.values()) group.close()
  }

  get status(): readonly LocationStatus[] {
    return this.options.locations.map((location) => {
      const { name, servers, balance } = location
      return { name, servers, balance, waiting: this.#groupOf(location).waiting }
    })
  }

  #groupOf(location: ResolvedLocation): BackendGroup {
    const group = this.#groups.get(location)
    if (group === undefined) throw new Error(`The location ${location.name} is of another configuration`)
    return group
  }
}

function membersOf({ name, servers: names }: ResolvedLocation, servers: readonly Server[]): [Server, ...Server[]] {
  const [first, ...others] = names.flatMap((one) => servers.find((server) => server.name === one) ?? [])
  if (first === undefined) throw new OptionError(`The location ${name} has no server`)
  return [first, ...others]
}
