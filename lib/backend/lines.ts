import { createPool, type Pool } from 'generic-pool'
import { Connection, type ConnectionObserver } from '../client/connection.ts'
import { AtHand } from './at-hand.ts'
import type { PoolOptions } from './pool-options.ts'

/** Milliseconds between two looks for connections that have been idle for too long, at most. */
const LONGEST_EVICTION_INTERVAL = 1000

/** generic-pool's bounds, which are not ours: how many there may be changes over time. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER

/** What generic-pool keeps: a line to the backend, which has one connection after another. */
interface Line {
  connection: Connection
}

/**
 * The lines to one address. Each connection for requests has a line of generic-pool's for as long as it lives. Between two requests a line lies at
 * hand, with its connection or, where that was not kept, without, and goes back to generic-pool when it was not needed for a while: the promises of
 * taking one there and giving it back cost a request 5 µs, and 10 where it has a connection of its own.
 */
export class Lines {
  readonly #options: PoolOptions
  readonly #observer: ConnectionObserver
  readonly #pool: Pool<Line>
  readonly #lineOf = new Map<Connection, Line>()
  /** Idle connections whose lines we have. */
  readonly #atHand: AtHand<Connection>
  /** Idle connections whose lines generic-pool has back, the longest idle first. */
  readonly #handedBack = new Set<Connection>()
  /** Lines that we have, whose connections have closed. */
  readonly #vacant: AtHand<Line>

  constructor(options: PoolOptions, observer: ConnectionObserver) {
    this.#options = options
    this.#observer = observer
    const interval = Math.min(LONGEST_EVICTION_INTERVAL, Math.ceil(options.idleTimeout / 2))
    this.#atHand = new AtHand(interval, (connection) => this.#handBack(connection))
    this.#vacant = new AtHand(interval, (line) => settle(this.#pool.destroy(line)))
    this.#pool = createPool<Line>(
      {
        create: async () => this.#register({ connection: this.#newConnection() }),
        destroy: async ({ connection }) => connection.close('idle'),
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

  /** Idle connections. */
  get idle(): number {
    return this.#handedBack.size + this.#atHand.size
  }

  /** The connection that is idle for longest; null: none is. */
  get oldest(): Connection | null {
    const [oldest = this.#atHand.oldest] = this.#handedBack
    return oldest
  }

  /** The idle connection that was used last; where none is idle, a new one. Null: only {@link acquire} has one. */
  take(): Connection | null {
    const kept = this.#atHand.take()
    if (kept !== null || this.#handedBack.size > 0) return kept
    const line = this.#vacant.take()
    if (line === null) return null
    line.connection = this.#newConnection()
    return this.#register(line).connection
  }

  /** generic-pool's latest connection, or a new one. */
  async acquire(): Promise<Connection> {
    for (;;) {
      const line = await this.#pool.acquire()
      this.#handedBack.delete(line.connection)
      if (line.connection.usable) return line.connection
      await this.#pool.destroy(line)
    }
  }

  /** Keeps a connection that is idle now. */
  keep(connection: Connection): void {
    this.#atHand.put(connection)
  }

  /** A connection has closed. True: it was idle. */
  closed(connection: Connection): boolean {
    const line = this.#lineOf.get(connection)
    this.#lineOf.delete(connection)
    // generic-pool drops the line when it comes upon it.
    if (this.#handedBack.delete(connection)) return true
    if (line !== undefined) this.#vacant.put(line)
    return this.#atHand.remove(connection)
  }

  /** Gives every line up; their connections have closed. */
  async drain(): Promise<void> {
    for (let line = this.#vacant.take(); line !== null; line = this.#vacant.take()) settle(this.#pool.destroy(line))
    await this.#pool.drain()
    await this.#pool.clear()
  }

  /** Opens lazily: generic-pool calls a failing factory again and again and keeps its error to itself. */
  #newConnection(): Connection {
    return new Connection(this.#options.address, this.#observer)
  }

  #register(line: Line): Line {
    this.#lineOf.set(line.connection, line)
    return line
  }

  #handBack(connection: Connection): void {
    const line = this.#lineOf.get(connection)
    if (line === undefined) return
    this.#handedBack.add(connection)
    settle(this.#pool.release(line))
  }
}

/** generic-pool refuses only what it has not lent, which would be our own mistake: it must not go unseen. */
function settle(done: PromiseLike<void>): void {
  done.then(undefined, (error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)))
}
