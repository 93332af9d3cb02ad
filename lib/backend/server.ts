import { isIP } from 'node:net'
import { type Address, formatAddress, parseAddress } from '../client/address.ts'
import { asFastCgiError, type FastCgiError } from '../errors.ts'
import type { CreateAllowance } from './allowance.ts'
import { Backend } from './backend.ts'
import type { BackendLog, BackendOptions } from './backend-options.ts'
import type { BackendStatus } from './backend-status.ts'
import type { ManagedBackend } from './managed-backend.ts'
import type { NameLookup } from './name-lookup.ts'
import { NameWatch } from './name-watch.ts'
import { Tally } from './tally.ts'

/** A configured server. */
export interface ServerOptions extends BackendOptions {
  /** Null: it is a {@link ManagedBackend}. */
  readonly address: string | null
}

/** What a server is made with. */
export interface ServerParts {
  readonly managed?: ManagedBackend | null | undefined
  readonly log?: BackendLog | null | undefined
  /** Default: each backend has all of `maxConnections`. Not asked for a managed one, which is this process's own. */
  readonly createAllowance?: CreateAllowance | undefined
  /** Milliseconds on a clock that never jumps. */
  readonly now?: (() => number) | undefined
  /** Asks the system for the addresses of a name. */
  readonly lookUp?: ((host: string) => NameLookup) | undefined
}

/** Who takes places on the backends of a server: the group of a location. */
export interface PlaceTaker {
  /** There is a free place on a backend. False: not taken. */
  admit(backend: Backend): boolean
  /** Backends came, went, went down or up. */
  refresh(): void
  /** Requests in its queue that the backend could serve. */
  waitingFor(backend: Backend): number
}

/** Milliseconds for which a name that could not be resolved is not asked for again. */
const PAUSE_AFTER_LOOKUP = 1000

/** A server at run time: one backend, or where its host is a name one for each address that this has at the moment. */
export class Server {
  readonly #parts: ServerParts
  readonly #watch: NameWatch | null
  #options: ServerOptions
  #backends: readonly Backend[] = []
  /** Their address is gone, requests are still under way. */
  readonly #draining = new Set<Backend>()
  #takers: readonly PlaceTaker[] = []
  /** The taker that is asked first for the next free place. */
  #turn = 0
  #lookup: LookupOutcome | null = null
  #isLate = false
  readonly #lookupTally: Tally = new Tally()

  /** Throws OptionError when the address is none. */
  constructor(options: ServerOptions, parts: ServerParts = {}) {
    this.#options = options
    this.#parts = parts
    const place = options.address === null ? (parts.managed ?? null) : parseAddress(options.address)
    if (place === null) throw new Error(`The server ${options.name} has neither an address nor processes`)
    this.#watch = 'kind' in place ? this.#createWatch(place) : null
    if (this.#watch === null) this.#backends = [this.#create(place)]
  }

  get name(): string {
    return this.#options.name
  }

  /** Those that may be given requests; a name has none before {@link resolve}. */
  get backends(): readonly Backend[] {
    return this.#backends
  }

  /** Its addresses come from a name. */
  get named(): boolean {
    return this.#watch !== null
  }

  /** Its name was asked for, with whatever result, or with none in time. */
  get asked(): boolean {
    return this.#lookup !== null || this.#isLate
  }

  /** A request has waited in vain for its name to be answered: others need not. */
  noteLate(): void {
    this.#isLate = true
  }

  /** Resolves when there are backends. @throws FastCgiError why there are none */
  async resolve(): Promise<void> {
    if (this.#watch === null || this.#backends.length > 0) return
    if (this.#lookup?.error != null && this.#now() < this.#lookup.again) throw this.#lookup.error
    try {
      await this.#watch.ready()
      this.#lookup = { error: null, again: 0 }
    } catch (thrown) {
      const error = asFastCgiError(thrown)
      if (this.#lookup?.error !== error) this.#lookupTally.failure(error)
      this.#lookup = { error, again: this.#now() + PAUSE_AFTER_LOOKUP }
      throw error
    }
  }

  join(taker: PlaceTaker): void {
    this.#takers = [...this.#takers, taker]
  }

  leave(taker: PlaceTaker): void {
    this.#takers = this.#takers.filter((other) => other !== taker)
  }

  /** Another configuration in which it is the same server: name, address and idleTimeout stay. */
  reconfigure(options: ServerOptions): void {
    this.#options = options
    for (const backend of [...this.#backends, ...this.#draining]) backend.reconfigure(options)
    this.#refresh()
  }

  get status(): readonly BackendStatus[] {
    const all = [...this.#backends, ...this.#draining].map(({ status }) => status)
    return all.length === 0 ? [this.#unresolvedStatus()] : all
  }

  /** Lets the requests under way finish, closes the connections and ends what we have started. */
  async close(): Promise<void> {
    this.#watch?.close()
    await Promise.all([...this.#backends, ...this.#draining].map((backend) => backend.close()))
    await this.#parts.managed?.stop()
  }

  #now(): number {
    return (this.#parts.now ?? performance.now.bind(performance))()
  }

  #createWatch(address: Address): NameWatch | null {
    if (address.kind === 'unix' || isIP(address.host) !== 0) return null
    const { lookUp, log } = this.#parts
    return new NameWatch({
      ...address,
      onChange: (addresses) => this.#accept(addresses),
      onError: (error) => log?.warn(`${this.name}: ${error.detail}`),
      ...(lookUp !== undefined && { lookUp }),
    })
  }

  #create(place: Address | ManagedBackend): Backend {
    const { log, now, createAllowance } = this.#parts
    const owner = {
      placeFreed: (backend: Backend) => this.#offer(backend),
      waitingFor: (backend: Backend) => this.#takers.reduce((sum, taker) => sum + taker.waitingFor(backend), 0),
      healthChanged: () => this.#refresh(),
    }
    const shared = 'kind' in place ? createAllowance : undefined
    return new Backend(this.#options, place, { owner, log, now, createAllowance: shared })
  }

  #accept(addresses: readonly Address[]): void {
    const known = new Map(this.#backends.map((backend) => [backend.key, backend]))
    const isFirst = known.size === 0
    this.#backends = addresses.map((address) => known.get(formatAddress(address)) ?? this.#create(address))
    const gone = [...known.values()].filter((backend) => !this.#backends.includes(backend))
    for (const backend of gone) this.#drain(backend)
    if (!isFirst)
      this.#parts.log?.info(`${this.name}: the addresses are ${addresses.map(formatAddress).join(', ')} now`)
    this.#refresh()
  }

  #drain(backend: Backend): void {
    this.#draining.add(backend)
    backend.close().finally(() => this.#draining.delete(backend))
  }

  /** Each taker has its turn, so that a busy location does not starve another. */
  #offer(backend: Backend): boolean {
    const { length } = this.#takers
    for (let step = 0; step < length; step += 1) {
      const at = (this.#turn + step) % length
      if (this.#takers[at]?.admit(backend) !== true) continue
      this.#turn = (at + 1) % length
      return true
    }
    return false
  }

  #refresh(): void {
    for (const taker of this.#takers) taker.refresh()
  }

  /** A name without addresses: not asked for yet, or unknown. */
  #unresolvedStatus(): BackendStatus {
    const { name, address, backup, weight, maxConnections } = this.#options
    const tally = this.#lookupTally.status
    const downSince = tally.lastErrors[0]?.time ?? null
    const state = downSince === null ? 'stopped' : 'down'
    const nothing = { open: 0, idle: 0, busy: 0, waiting: 0 }
    return { server: name, address, state, backup, weight, maxConnections, ...nothing, ...tally, downSince }
  }
}

/** How the last look-up of a name ended. */
interface LookupOutcome {
  readonly error: FastCgiError | null
  /** No other before. */
  readonly again: number
}
