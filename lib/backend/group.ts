import { channels } from '../diagnostics.ts'
import type { FastCgiError } from '../errors.ts'
import type { Backend } from './backend.ts'
import { type Balance, type Candidates, type Chooser, createChooser } from './balance.ts'
import { downError } from './down-error.ts'
import { firstAddresses, type LookupPatience } from './first-addresses.ts'
import type { PlaceTaker, Server } from './server.ts'
import { WaitQueue, type Wish } from './wait-queue.ts'

/** The servers of one location, and how requests are spread over them. */
export interface GroupOptions {
  /** The location's name. */
  readonly name: string
  readonly balance: Balance
  /** In the order of the file. */
  readonly servers: readonly [Server, ...Server[]]
}

/** For whom a place is taken. */
export interface PlaceRequest {
  /** The client's address. */
  readonly client: string
  /** Backends on which earlier attempts have failed: others are better. */
  readonly tried: readonly Backend[]
}

/** A place that was taken on a backend. */
export interface TakenPlace {
  readonly backend: Backend
  /** Of the backend's health: goes back with what became of the request. */
  readonly generation: number
  /** The backend is not up: this request finds out whether it is back. */
  readonly probe: boolean
}

/** A request in the queue. It must not use its place before the call that gives it has returned. */
export interface PlaceWish extends Wish<TakenPlace>, PlaceRequest {
  /** For diagnostics. */
  readonly request: number
}

/**
 * Which backend serves a request of a location: one that is up and has a place, by the location's balance, backups only while no
 * other is up. A request that finds all of them full waits once, here, for whichever frees a place first.
 */
export class BackendGroup implements PlaceTaker {
  readonly #options: GroupOptions
  readonly #chooser: Chooser
  /** The balance binds each client to a backend: for that it waits, however free the others are. */
  readonly #sticky: boolean
  readonly #named: readonly Server[]
  readonly #queue: WaitQueue<PlaceWish, TakenPlace> = new WaitQueue()
  #all: readonly Backend[] = []
  /** Those that are up and first in rank: what a first attempt chooses from. */
  #tier: readonly Backend[] = []
  /** Those that are up, but only in reserve. */
  #reserve: readonly Backend[] = []
  /** Those that are not up, and are wanted back. */
  #missing: readonly Backend[] = []
  /** With a sticky balance: the backend of each wish, as long as nothing changes. A choice costs a hash for each candidate. */
  #bound = new WeakMap<PlaceWish, Backend>()

  constructor(options: GroupOptions) {
    this.#options = options
    this.#chooser = createChooser(options.balance)
    this.#sticky = options.balance === 'ip-hash'
    this.#named = options.servers.filter(({ named }) => named)
    for (const server of options.servers) server.join(this)
    this.refresh()
  }

  /** Its servers tell it nothing more. */
  close(): void {
    for (const server of this.#options.servers) server.leave(this)
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Null: it is known what backends there are. Else what to await before one is taken: the first look-up of a name. */
  prepare(patience: () => LookupPatience): Promise<void> | null {
    if (this.#named.length === 0) return null
    const pending = this.#named.filter(({ backends }) => backends.length === 0)
    if (pending.length === 0) return null
    // Where others can serve, nobody waits for a name that was asked for in vain.
    const wanted = this.#tier.length === 0 ? pending : pending.filter(({ asked }) => !asked)
    if (wanted.length > 0) return this.#resolve(wanted, patience())
    for (const server of pending) server.resolve().catch(() => undefined) // its status tells
    return null
  }

  /**
   * Takes a place; null: all are full, {@link wait}.
   * @throws FastCgiError ERR_FCGI_DOWN
   */
  take({ client, tried }: PlaceRequest): TakenPlace | null {
    if (this.#missing.length > 0) {
      const probe = this.#takeProbe(tried)
      if (probe !== null) return probe
    }
    const candidates = tried.length === 0 ? this.#tier : this.#untried(tried)
    if (!isAny(candidates)) return this.#takeLastResort(tried)
    const backend = this.#choose(candidates, client)
    return backend === null ? null : takenOn(backend, false)
  }

  /** Waits for a place that will have been taken; refused with ERR_FCGI_QUEUE_FULL, ERR_FCGI_QUEUE_TIMEOUT or ERR_FCGI_DOWN. */
  wait(wish: PlaceWish): void {
    for (const backend of this.#untried(wish.tried)) backend.pool.want()
    if (!this.#queue.enter(wish) || !channels.poolWait.hasSubscribers) return
    channels.poolWait.publish({ request: wish.request, location: this.#options.name, waiting: this.waiting })
  }

  /** Waits no more. */
  leave(wish: PlaceWish): void {
    this.#queue.leave(wish)
  }

  /** There is one that is up and was not tried. */
  hasOther(tried: readonly Backend[]): boolean {
    return this.#untried(tried).some((backend) => !tried.includes(backend))
  }

  admit(backend: Backend): boolean {
    if (this.#queue.length === 0) return false
    const { generation } = backend.health
    const admitted = this.#queue.admitNext({ backend, generation, probe: false }, (wish) => this.#suits(backend, wish))
    if (!admitted) return false
    backend.pool.take()
    if (this.#queue.length > 0 && !backend.free) backend.pool.want()
    return true
  }

  refresh(): void {
    this.#all = this.#options.servers.flatMap(({ backends }) => backends)
    const up = this.#all.filter(({ health }) => health.up)
    const [primaries, backups] = [up.filter(({ backup }) => !backup), up.filter(({ backup }) => backup)]
    this.#tier = primaries.length > 0 ? primaries : backups
    this.#reserve = primaries.length > 0 ? backups : []
    this.#missing = this.#all.filter(({ health, backup }) => !health.up && !(backup && primaries.length > 0))
    this.#bound = new WeakMap()
    if (this.#queue.length === 0) return
    if (this.#tier.length === 0) return this.#turnAway()
    for (const backend of up) while (backend.free && this.admit(backend));
  }

  waitingFor(backend: Backend): number {
    const isFirst = !this.#sticky && this.#tier.includes(backend)
    return this.#queue.count((wish) => (isFirst && wish.tried.length === 0) || this.#suits(backend, wish))
  }

  /** Waits for names; a request that waited while another's look-up brought the backends is served by them. */
  async #resolve(servers: readonly Server[], patience: LookupPatience): Promise<void> {
    try {
      await firstAddresses(servers, patience)
    } catch (error) {
      if (patience.signal.aborted || this.#all.length === 0) throw error
    }
  }

  #choose(candidates: Candidates<Backend>, client: string): Backend | null {
    if (candidates.length === 1) return candidates[0].free ? candidates[0] : null
    if (this.#sticky) {
      const bound = this.#chooser.choose(candidates, client)
      return bound.free ? bound : null
    }
    const free = candidates.every(isFree) ? candidates : candidates.filter(isFree)
    return isAny(free) ? this.#chooser.choose(free, client) : null
  }

  /** What another attempt chooses from: what was not tried, those in reserve too; else again what is up. */
  #untried(tried: readonly Backend[]): readonly Backend[] {
    if (tried.length === 0) return this.#tier
    for (const rank of [this.#tier, this.#reserve]) {
      const others = rank.filter((backend) => !tried.includes(backend))
      if (others.length > 0) return others
    }
    return this.#tier
  }

  #suits(backend: Backend, wish: PlaceWish): boolean {
    return this.#sticky ? this.#boundOf(wish) === backend : this.#untried(wish.tried).includes(backend)
  }

  #boundOf(wish: PlaceWish): Backend | null {
    const known = this.#bound.get(wish)
    if (known !== undefined) return known
    const candidates = this.#untried(wish.tried)
    if (!isAny(candidates)) return null
    const bound = this.#chooser.choose(candidates, wish.client)
    this.#bound.set(wish, bound)
    return bound
  }

  /** The first one that is due to be tried again. */
  #takeProbe(tried: readonly Backend[]): TakenPlace | null {
    for (const backend of this.#missing) {
      const probe = tried.includes(backend) ? null : takenForProbe(backend, false)
      if (probe !== null) return probe
    }
    return null
  }

  /** None is up: each may still be tried by one request at a time, the others need not wait for what may never come. */
  #takeLastResort(tried: readonly Backend[]): TakenPlace {
    const inOrder = this.#all.toSorted(
      (a, b) => Number(tried.includes(a)) - Number(tried.includes(b)) || a.health.retryIn - b.health.retryIn,
    )
    for (const backend of inOrder) {
      const probe = takenForProbe(backend, true)
      if (probe !== null) return probe
    }
    throw this.#downError()
  }

  #turnAway(): void {
    const error = this.#downError()
    this.#queue.refuse(() => error)
  }

  #downError(): FastCgiError {
    return downError(this.#options.name, this.#all)
  }
}

function takenOn(backend: Backend, probe: boolean): TakenPlace {
  backend.pool.take()
  return { backend, generation: backend.health.generation, probe }
}

/** Null: not to be tried now. A worker that has no connection left to find out with asks for one, or it would be down for good. */
function takenForProbe(backend: Backend, lastResort: boolean): TakenPlace | null {
  const { health, pool } = backend
  if (pool.limit === 0 && (lastResort || health.retryIn === 0)) pool.want()
  return pool.free && health.claimProbe(lastResort) ? takenOn(backend, true) : null
}

function isFree(backend: Backend): boolean {
  return backend.free
}

function isAny(backends: readonly Backend[]): backends is Candidates<Backend> {
  return backends.length > 0
}
