import { createPool, type Pool } from 'generic-pool'
import type { Address } from '../client/address.ts'
import { Connection, type ConnectionObserver } from '../client/connection.ts'
import { type CloseReason, channels } from '../diagnostics.ts'
import { FastCgiError } from '../errors.ts'
import { StarvationGuard } from './starvation.ts'
import { type WaitLimits, WaitQueue } from './wait-queue.ts'

/** What a pool is made for. */
export interface PoolOptions {
  readonly name: string
  readonly address: Address
  /** Connections open at once, busy and idle together. */
  readonly maxConnections: number
  /** Requests on one connection. */
  readonly maxRequests: number
  /** Milliseconds. */
  readonly idleTimeout: number
}

/** How one request wants its connection. */
export interface CheckOutOptions extends WaitLimits {
  /** Never a kept one: the last kept one was dead. */
  readonly fresh: boolean
}

/** What a pool holds at a moment. */
export interface PoolStatus {
  readonly open: number
  readonly idle: number
  readonly busy: number
  /** Requests in the queue. */
  readonly waiting: number
}

/** Milliseconds between two looks for connections that have been idle for too long, at most. */
const LONGEST_EVICTION_INTERVAL = 1000

/** The connections to one server. generic-pool keeps and hands them out; who may ask, and when, is decided here. */
export class ConnectionPool implements ConnectionObserver {
  readonly #options: PoolOptions
  readonly #pool: Pool<Connection>
  readonly #queue: WaitQueue = new WaitQueue()
  readonly #starvation: StarvationGuard = new StarvationGuard((most) => this.#giveUpIdle(most))
  readonly #open = new Set<Connection>()
  /** Places taken: connections out, and requests that were admitted and are about to get one. */
  #places = 0
  #closing: Promise<void> | null = null
  #emptied: (() => void) | null = null

  constructor(options: PoolOptions) {
    this.#options = options
    this.#pool = createPool<Connection>(
      {
        // Opens lazily: generic-pool calls a failing factory over and over and keeps its error to itself.
        create: async () => new Connection(options.address, this),
        destroy: async (connection) => connection.close(this.#closing === null ? 'idle' : 'shutdown'),
      },
      {
        max: options.maxConnections,
        min: 0,
        // The last one in is the first one out, so that those that are not needed get old.
        fifo: false,
        idleTimeoutMillis: options.idleTimeout,
        evictionRunIntervalMillis: Math.min(LONGEST_EVICTION_INTERVAL, Math.ceil(options.idleTimeout / 2)),
        numTestsPerEvictionRun: options.maxConnections,
      },
    )
  }

  get status(): PoolStatus {
    const open = this.#open.size
    let idle = 0
    for (const connection of this.#open) if (connection.state === 'idle') idle += 1
    return { open, idle, busy: open - idle, waiting: this.#queue.length }
  }

  /**
   * A connection for one request, kept or new. The caller owns it and must give it back to {@link checkIn}.
   * @throws FastCgiError ERR_FCGI_QUEUE_FULL, ERR_FCGI_QUEUE_TIMEOUT, ERR_FCGI_CLOSED, or the signal's reason
   */
  async checkOut(options: CheckOutOptions, signal: () => AbortSignal): Promise<Connection> {
    if (this.#closing !== null) throw new FastCgiError('ERR_FCGI_CLOSED')
    if (this.#places >= this.#options.maxConnections) await this.#wait(options, signal())
    else this.#places += 1
    // From here on a place is ours, and generic-pool has a connection for every place: it never queues, never refuses.
    for (;;) {
      const connection = await this.#pool.acquire()
      if (connection.usable && !(options.fresh && connection.requests > 0)) return connection
      connection.close('failed')
      await this.#pool.destroy(connection)
    }
  }

  /** Takes a connection back; `reason` says why it cannot be kept, null that it can. */
  checkIn(connection: Connection, reason: CloseReason | null): void {
    const verdict = reason ?? this.#refusal(connection)
    if (verdict === null) {
      connection.release()
      this.#settle(this.#pool.release(connection))
    } else {
      connection.close(verdict)
      this.#settle(this.#pool.destroy(connection))
    }
    this.#leavePlace()
  }

  /** Refuses new requests, waits for those under way and in the queue, then closes every connection. */
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
  }

  async #drain(): Promise<void> {
    if (this.#places > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve
      })
    }
    await this.#pool.drain()
    await this.#pool.clear()
  }

  /** A place that someone waits for is handed over, never free in between. */
  #leavePlace(): void {
    if (this.#queue.admitNext()) return
    this.#places -= 1
    if (this.#places === 0) this.#emptied?.()
  }

  async #wait(limits: WaitLimits, signal: AbortSignal): Promise<void> {
    // One that the queue refuses does not wait.
    if (channels.poolWait.hasSubscribers && this.#queue.length < limits.queueLimit) {
      channels.poolWait.publish({ server: this.#options.name, waiting: this.#queue.length + 1 })
    }
    await this.#queue.wait(limits, signal)
  }

  #refusal(connection: Connection): CloseReason | null {
    if (!connection.clean) return 'failed'
    if (connection.requests >= this.#options.maxRequests) return 'worn'
    if (this.#closing !== null) return 'shutdown'
    return this.#starvation.claims() ? 'given up' : null
  }

  /** Closes idle ones, the oldest first; generic-pool finds them unusable and drops them. */
  #giveUpIdle(most: number): number {
    let closed = 0
    for (const connection of this.#open) {
      if (closed >= most) break
      if (connection.state !== 'idle') continue
      connection.close('given up')
      closed += 1
    }
    return closed
  }

  /** generic-pool refuses only what it has not lent, which would be our own mistake: it must not go unseen. */
  #settle(done: PromiseLike<void>): void {
    done.then(undefined, (error: unknown) => {
      process.emitWarning(error instanceof Error ? error : String(error))
    })
  }
}
