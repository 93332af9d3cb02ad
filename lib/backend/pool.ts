import { createPool, type Pool } from 'generic-pool'
import { Connection, type ConnectionObserver } from '../client/connection.ts'
import type { CloseReason } from '../diagnostics.ts'
import type { Allowance, AllowanceUser } from './allowance.ts'
import { AtHand } from './at-hand.ts'
import type { PoolStatus } from './backend-status.ts'
import type { PoolOptions, PoolOwner } from './pool-options.ts'
import { StarvationGuard } from './starvation.ts'

/** Milliseconds between two looks for connections that have been idle for too long, at most. */
const LONGEST_EVICTION_INTERVAL = 1000

/** generic-pool's bounds, which are not ours: how many there may be changes over time. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER

/**
 * The connections to one address, and the places for requests on them: who wants a connection takes a place first. generic-pool keeps
 * the connections but for those {@link AtHand}, which would else cost 5 µs of promises a request; how many there may be is the
 * {@link Allowance}'s to say, and who waits for a place is known to the owner.
 */
export class ConnectionPool implements ConnectionObserver, AllowanceUser {
  readonly #options: PoolOptions
  readonly #owner: PoolOwner
  readonly #allowance: Allowance
  readonly #pool: Pool<Connection>
  readonly #starvation: StarvationGuard = new StarvationGuard((most) => this.#closeIdle(most, 'given up'))
  readonly #open = new Set<Connection>()
  /** Kept ones that generic-pool has back, the longest idle first. */
  readonly #handedBack = new Set<Connection>()
  /** Kept ones that generic-pool still has lent us. */
  readonly #atHand: AtHand
  /** Connections that generic-pool does not know. */
  readonly #unpooled = new Set<Connection>()
  /** Places taken. */
  #places = 0
  /** Of these, those that generic-pool is about to hand a connection. */
  #arriving = 0
  #closing: Promise<void> | null = null
  #emptied: (() => void) | null = null

  constructor(options: PoolOptions, owner: PoolOwner, allow: (user: AllowanceUser) => Allowance) {
    this.#options = options
    this.#owner = owner
    this.#allowance = allow(this)
    const interval = Math.min(LONGEST_EVICTION_INTERVAL, Math.ceil(options.idleTimeout / 2))
    this.#atHand = new AtHand(interval, (connection) => {
      this.#handedBack.add(connection)
      this.#settle(this.#pool.release(connection))
    })
    this.#pool = createPool<Connection>(
      {
        // Opens lazily: generic-pool calls a failing factory again and again and keeps its error to itself.
        create: async () => new Connection(options.address, this),
        destroy: async (connection) => connection.close(this.#closing === null ? 'idle' : 'shutdown'),
      },
      {
        max: UNBOUNDED,
        // The last one in is the first one out, so that those that are not needed get old.
        fifo: false,
        // At hand it has been idle for an interval at least.
        idleTimeoutMillis: Math.max(1, options.idleTimeout - interval),
        evictionRunIntervalMillis: interval,
        numTestsPerEvictionRun: UNBOUNDED,
      },
    )
  }

  get status(): PoolStatus {
    return { open: this.#open.size, idle: this.#kept, busy: this.#open.size - this.#kept }
  }

  /** Connections that may be open now. */
  get limit(): number {
    return this.#allowance.limit
  }

  get busy(): number {
    return this.#places
  }

  /** Those that are about to be used are busy already. */
  get idle(): number {
    return Math.max(0, this.#kept - this.#arriving)
  }

  get #kept(): number {
    return this.#handedBack.size + this.#atHand.size
  }

  get waiting(): number {
    return this.#owner.waiting
  }

  /** A place may be taken. */
  get free(): boolean {
    return this.#places < this.#allowance.limit && this.#closing === null
  }

  /** Takes a {@link free} place, which {@link checkIn} or {@link leave} gives back. */
  take(): void {
    this.#places += 1
  }

  /** A place would be taken, were there one. */
  want(): void {
    if (this.#closing === null) this.#allowance.want()
  }

  /** A connection for a place that was taken, kept or new; `fresh`: a new one, and all kept ones are closed, as they may be dead. */
  connect(fresh: boolean): Connection | Promise<Connection> {
    if (fresh) this.#closeIdle(UNBOUNDED, 'failed')
    return this.#atHand.take() ?? this.#acquire()
  }

  /** Generic-pool's latest, or a new one. */
  async #acquire(): Promise<Connection> {
    this.#arriving += 1
    for (;;) {
      const connection = await this.#pool.acquire()
      this.#handedBack.delete(connection)
      if (connection.usable) {
        this.#arriving -= 1
        this.#trim()
        return connection
      }
      await this.#pool.destroy(connection)
    }
  }

  /** As {@link lend}, in the stead of the connection that is idle for longest. */
  replace(): Connection {
    this.#closeIdle(1, 'given up')
    return this.lend()
  }

  /** A new connection for a place that was taken; it is never kept. */
  lend(): Connection {
    const connection = new Connection(this.#options.address, this)
    this.#unpooled.add(connection)
    this.#trim()
    return connection
  }

  /** Takes a connection back, and its place; `reason` says why it cannot be kept, null that it can. */
  checkIn(connection: Connection, reason: CloseReason | null): void {
    const verdict = reason ?? this.#refusal(connection)
    if (verdict === null) {
      connection.release()
      this.#atHand.put(connection)
      return this.#leavePlace()
    }
    connection.close(verdict)
    if (!this.#unpooled.delete(connection)) this.#settle(this.#pool.destroy(connection))
    this.leave()
  }

  /** Gives a place back on which there is no connection. */
  leave(): void {
    this.#leavePlace()
    this.#allowance.released()
  }

  /** `maxConnections` is another now. */
  resize(total: number): void {
    this.#allowance.resize(total)
    this.#trim()
    this.grown()
  }

  grown(): void {
    while (this.free && this.#owner.placeFreed());
  }

  shrunk(): void {
    this.#trim()
  }

  /** Gives no more places, waits for those that are taken, then closes every connection. */
  close(): Promise<void> {
    this.#closing ??= this.#drain()
    return this.#closing
  }

  connectionWaits(connection: Connection): void {
    this.#open.add(connection)
    this.#starvation.waits(connection)
  }

  connectionAnswers(connection: Connection): void {
    this.#starvation.served(connection)
  }

  connectionClosed(connection: Connection): void {
    this.#open.delete(connection)
    this.#starvation.served(connection)
    const wasAtHand = this.#atHand.remove(connection)
    if (wasAtHand) this.#settle(this.#pool.destroy(connection))
    if (wasAtHand || this.#handedBack.delete(connection)) this.#allowance.released()
  }

  async #drain(): Promise<void> {
    this.#closeIdle(UNBOUNDED, 'shutdown')
    if (this.#places > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve
      })
    }
    await this.#pool.drain().then(() => this.#pool.clear())
    this.#allowance.close()
  }

  /** A place that someone waits for is handed over, never free in between. */
  #leavePlace(): void {
    this.#places -= 1
    if (this.free) this.#owner.placeFreed()
    else if (this.#places === 0) this.#emptied?.()
  }

  #refusal(connection: Connection): CloseReason | null {
    if (!connection.clean) return 'failed'
    if (connection.requests >= this.#options.maxRequests) return 'worn'
    if (this.#closing !== null) return 'shutdown'
    if (this.#surplus > 0) return 'recalled'
    return this.#starvation.claims() ? 'given up' : null
  }

  /** Connections that there are, or are going to be, above the limit. Those arriving take idle ones first. */
  get #surplus(): number {
    return this.#places - this.#arriving + Math.max(this.#arriving, this.#kept) - this.#allowance.limit
  }

  #trim(): void {
    if (this.#kept > 0 && this.#surplus > 0) this.#closeIdle(this.#surplus, 'recalled')
  }

  /** Closes idle ones, the oldest first; generic-pool drops those that it keeps when it comes upon them. */
  #closeIdle(most: number, reason: CloseReason): number {
    for (let closed = 0; closed < most; closed += 1) {
      const [oldest = this.#atHand.oldest] = this.#handedBack
      if (oldest === null) return closed
      oldest.close(reason)
    }
    return most
  }

  /** generic-pool refuses only what it has not lent, which would be our own mistake: it must not go unseen. */
  #settle(done: PromiseLike<void>): void {
    done.then(undefined, (error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)))
  }
}
