import { type Address, formatAddress, parseAddress } from '../client/address.ts'
import type { Connection } from '../client/connection.ts'
import { channels } from '../diagnostics.ts'
import type { FastCgiError } from '../errors.ts'
import { type CreateAllowance, fixedAllowance } from './allowance.ts'
import { type BackendLog, type BackendOptions, healthOptions, isSameCheck } from './backend-options.ts'
import type { BackendStatus } from './backend-status.ts'
import type { Candidate } from './balance.ts'
import { Health } from './health.ts'
import { type ConnectionLender, HealthCheck } from './health-check.ts'
import { type ManagedBackend, startUnlessAborted } from './managed-backend.ts'
import { ConnectionPool } from './pool.ts'
import { Tally } from './tally.ts'
import type { FailedAttempt } from './verdict.ts'

/** Who is told of a backend's places and of its health. */
export interface BackendOwner {
  /** There is a free place on it. False: nobody wants it. */
  placeFreed(backend: Backend): boolean
  /** It went down or came up. */
  healthChanged(): void
  /** Requests that wait for a place, and could be served on this backend. */
  waitingFor(backend: Backend): number
}

/** What a backend is made with. */
export interface BackendParts {
  readonly owner: BackendOwner
  readonly log?: BackendLog | null | undefined
  /** Default: all of `maxConnections`. */
  readonly createAllowance?: CreateAllowance | undefined
  /** Milliseconds on a clock that never jumps. */
  readonly now?: (() => number) | undefined
}

/** One address of a server at run time: its connections, its health, and what became of its requests. */
export class Backend implements Candidate, ConnectionLender {
  /** Its address; a managed one's may change, so that it is known by its server's name. */
  readonly key: string
  readonly pool: ConnectionPool
  readonly health: Health
  readonly #parts: BackendParts
  readonly #tally: Tally = new Tally()
  /** A managed one's address is known when it has started, and may be another the next time. */
  readonly #place: Address | ManagedBackend
  #options: BackendOptions
  #check: HealthCheck | null = null
  #draining = false
  /** Milliseconds since 1970. */
  #downSince: number | null = null

  constructor(options: BackendOptions, place: Address | ManagedBackend, parts: BackendParts) {
    this.#options = options
    this.#place = place
    this.#parts = parts
    this.key = 'kind' in place ? formatAddress(place) : options.name
    this.health = this.#createHealth()
    this.pool = this.#createPool()
    this.#startCheck()
  }

  get name(): string {
    return this.#options.name
  }

  get weight(): number {
    return this.#options.weight
  }

  get backup(): boolean {
    return this.#options.backup
  }

  get busy(): number {
    return this.pool.busy
  }

  get free(): boolean {
    return this.pool.free
  }

  /** Its processes come and go: one that dies says little of the next. */
  get restarts(): boolean {
    return this.#options.restarts || !('kind' in this.#place)
  }

  /** False: {@link start} must be awaited before a connection is taken. */
  get running(): boolean {
    return 'kind' in this.#place || this.#place.running
  }

  /** Resolves when it runs. @throws FastCgiError why it does not, or the signal's reason */
  async start(signal: AbortSignal): Promise<void> {
    if (!('kind' in this.#place)) await startUnlessAborted(this.#place, signal)
  }

  /** `php (127.0.0.1:9000)`, for the log. */
  get description(): string {
    return this.key === this.name ? this.name : `${this.name} (${this.key})`
  }

  /** Whatever changes in place; what it waits for or does at the moment is not disturbed. */
  reconfigure(options: BackendOptions): void {
    const { maxConnections, healthCheck } = this.#options
    this.#options = options
    this.health.reconfigure(healthOptions(options))
    if (options.maxConnections !== maxConnections) this.pool.resize(options.maxConnections)
    if (!isSameCheck(options.healthCheck, healthCheck)) this.#startCheck()
  }

  /** Lets the requests under way finish, then closes the connections. */
  async close(): Promise<void> {
    this.#draining = true
    this.#check?.close()
    await this.pool.close()
  }

  /** A request is about to be sent here. */
  noteAttempt(request: number): void {
    if (!channels.backendAttempt.hasSubscribers) return
    channels.backendAttempt.publish({ request, server: this.name, address: this.#shownAddress() })
  }

  /** A request got its whole answer, in so many milliseconds. */
  noteAnswer(duration: number, generation: number): void {
    if (!('kind' in this.#place)) this.#place.noteAnswer()
    this.#tally.answer(duration)
    this.health.noteAnswer(generation)
  }

  /** A request got none. */
  noteFailure(attempt: FailedAttempt, generation: number): void {
    // Below 502 are the client's mistakes and our own.
    if (attempt.error.status >= 502) this.#tally.failure(attempt.error)
    this.health.noteFailure(attempt, generation)
  }

  /** A request that failed here is sent again. */
  noteRetry(): void {
    this.#tally.retry()
  }

  borrow(): Connection | null | Promise<Connection | null> {
    if (this.running) return this.#lend()
    // Where a check looks after it no user's request would start it again.
    return this.health.up || 'kind' in this.#place ? null : this.#place.start().then(this.#lend, () => null)
  }

  checkIn(connection: Connection, reason: Parameters<ConnectionLender['checkIn']>[1]): void {
    this.pool.checkIn(connection, reason)
  }

  get status(): BackendStatus {
    return {
      server: this.name,
      address: this.#shownAddress(),
      state: this.#state,
      backup: this.backup,
      weight: this.weight,
      maxConnections: this.pool.limit,
      ...this.pool.status,
      waiting: this.pool.waiting,
      ...this.#tally.status,
      downSince: this.#downSince,
    }
  }

  readonly #lend = (): Connection | null => {
    if (!this.health.up && this.pool.limit === 0) this.pool.want()
    if (!this.pool.free) return null
    this.pool.take()
    return this.pool.lend()
  }

  get #state(): BackendStatus['state'] {
    if (this.#draining) return 'draining'
    return this.health.up && !this.running ? 'stopped' : this.health.state
  }

  #shownAddress(): string | null {
    if ('kind' in this.#place) return this.key
    return this.#place.running ? this.#place.address : null
  }

  #createHealth(): Health {
    return new Health(healthOptions(this.#options), {
      now: this.#parts.now ?? (() => performance.now()),
      onDown: (error, retryIn) => this.#wentDown(error, retryIn),
      onUp: (downFor) => this.#cameUp(downFor),
    })
  }

  #createPool(): ConnectionPool {
    const self = this
    const place = this.#place
    const { createAllowance = (_key, total) => fixedAllowance(total), owner } = this.#parts
    return new ConnectionPool(
      {
        get address(): Address {
          return 'kind' in place ? place : parseAddress(place.address)
        },
        get maxRequests(): number {
          return self.#options.maxRequests
        },
        idleTimeout: this.#options.idleTimeout,
      },
      {
        placeFreed: () => owner.placeFreed(this),
        get waiting(): number {
          return owner.waitingFor(self)
        },
      },
      (user) => createAllowance(this.key, this.#options.maxConnections, user),
    )
  }

  #startCheck(): void {
    this.#check?.close()
    if (this.#draining) return
    const { healthCheck } = this.#options
    this.#check = healthCheck === null ? null : new HealthCheck(healthCheck, { health: this.health, connections: this })
    this.#check?.start()
  }

  #wentDown(error: FastCgiError, retryIn: number): void {
    this.#downSince = Date.now()
    this.#parts.log?.warn(
      `${this.description} is down, and left alone for ${retryIn} ms: ${error.code}: ${error.detail}`,
    )
    if (channels.backendDown.hasSubscribers) {
      const until = Date.now() + retryIn
      channels.backendDown.publish({ server: this.name, address: this.#shownAddress(), error, until })
    }
    this.#check?.hasten()
    this.#parts.owner.healthChanged()
  }

  #cameUp(downFor: number): void {
    this.#downSince = null
    this.#parts.log?.info(`${this.description} is up again after ${Math.round(downFor)} ms`)
    if (channels.backendUp.hasSubscribers) {
      channels.backendUp.publish({ server: this.name, address: this.#shownAddress(), downFor })
    }
    this.#parts.owner.healthChanged()
  }
}
