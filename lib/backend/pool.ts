import { Connection, type ConnectionObserver } from '../client/connection.ts'
import type { CloseReason } from '../diagnostics.ts'
import type { Allowance, AllowanceUser } from './allowance.ts'
import type { PoolStatus } from './backend-status.ts'
import { Lines } from './lines.ts'
import type { PoolOptions, PoolOwner } from './pool-options.ts'
import { StarvationGuard } from './starvation.ts'

/**
 * The connections to one address, and the places for requests on them: who wants a connection takes a place first. The {@link Lines} have
 * the connections; how many there may be is the {@link Allowance}'s to say, and who waits for a place is known to the owner.
 */
export class ConnectionPool implements ConnectionObserver, AllowanceUser {
  readonly #options: PoolOptions
  readonly #owner: PoolOwner
  readonly #allowance: Allowance
  readonly #lines: Lines
  readonly #starvation: StarvationGuard = new StarvationGuard((most) => this.#closeIdle(most, 'given up'))
  readonly #open = new Set<Connection>()
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
    this.#lines = new Lines(options, this)
  }

  get status(): PoolStatus {
    const [open, idle] = [this.#open.size, this.#lines.idle]
    return { open, idle, busy: open - idle }
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
    return Math.max(0, this.#lines.idle - this.#arriving)
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
    if (fresh) this.#closeIdle(Number.POSITIVE_INFINITY, 'failed')
    const connection = this.#lines.take()
    if (connection === null) return this.#arrive()
    this.#trim()
    return connection
  }

  async #arrive(): Promise<Connection> {
    this.#arriving += 1
    const connection = await this.#lines.acquire()
    this.#arriving -= 1
    this.#trim()
    return connection
  }

  /** As {@link lend}, in the stead of the connection that is idle for longest. */
  replace(): Connection {
    this.#closeIdle(1, 'given up')
    return this.lend()
  }

  /** A new connection for a place that was taken; it is never kept. */
  lend(): Connection {
    this.#trim()
    return new Connection(this.#options.address, this)
  }

  /** Takes a connection back, and its place; `reason` says why it cannot be kept, null that it can. */
  checkIn(connection: Connection, reason: CloseReason | null): void {
    const verdict = reason ?? this.#refusal(connection)
    if (verdict === null) {
      connection.release()
      this.#lines.keep(connection)
      return this.#leavePlace()
    }
    connection.close(verdict)
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
    if (this.#lines.closed(connection)) this.#allowance.released()
  }

  async #drain(): Promise<void> {
    this.#closeIdle(Number.POSITIVE_INFINITY, 'shutdown')
    if (this.#places > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve
      })
    }
    await this.#lines.drain()
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
    return this.#places - this.#arriving + Math.max(this.#arriving, this.#lines.idle) - this.#allowance.limit
  }

  #trim(): void {
    if (this.#lines.idle > 0 && this.#surplus > 0) this.#closeIdle(this.#surplus, 'recalled')
  }

  /** Closes idle ones, the oldest first. */
  #closeIdle(most: number, reason: CloseReason): number {
    for (let closed = 0; closed < most; closed += 1) {
      const { oldest } = this.#lines
      if (oldest === null) return closed
      oldest.close(reason)
    }
    return most
  }
}
