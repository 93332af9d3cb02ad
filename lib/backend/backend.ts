import { type Address, formatAddress, parseAddress } from '../client/address.ts'
import { ConnectionPool, type PoolStatus } from './pool.ts'

/** A configured server. */
export interface BackendOptions {
  readonly name: string
  /** Null: it is a {@link ManagedBackend}. */
  readonly address: string | null
  readonly maxConnections: number
  readonly maxRequests: number
  readonly idleTimeout: number
  /** Its processes are started again when they die. Default false; a managed one always is. */
  readonly restarts?: boolean
}

/** A backend that is started by us, with its first request. */
export interface ManagedBackend {
  /** Valid while it runs. */
  readonly address: string
  readonly running: boolean
  /** @throws FastCgiError why it does not run */
  start(): Promise<void>
  /** A request got its answer. */
  noteAnswer(): void
  stop(): Promise<void>
}

/** A server at run time, as `handler.status()` tells it. */
export interface BackendStatus extends PoolStatus {
  readonly name: string
  /** Null: it is started with the first request. */
  readonly address: string | null
  /** Requests that got a whole answer. */
  readonly requests: number
  /** Attempts that failed. */
  readonly failures: number
  /** Milliseconds from sending a request to the end of its answer, over the last answers; null before the first. */
  readonly latency: { readonly p50: number; readonly p95: number; readonly p99: number } | null
}

/** Answers over which latency is told. */
const LATENCY_WINDOW = 256

/** A server at run time: its connections and what became of its requests. */
export class Backend {
  readonly name: string
  readonly pool: ConnectionPool
  /** Its processes come and go: one that dies says little of the next. */
  readonly restarts: boolean
  readonly #managed: ManagedBackend | null
  /** Null: that of the managed backend. */
  readonly #address: Address | null
  readonly #latencies: number[] = []
  #requests = 0
  #failures = 0

  /** Throws OptionError when the address is none. */
  constructor(options: BackendOptions, managed: ManagedBackend | null = null) {
    this.name = options.name
    this.#managed = managed
    this.restarts = managed !== null || options.restarts === true
    this.#address = options.address === null ? null : parseAddress(options.address)
    const addressNow = (): Address => this.#address ?? parseAddress(managed?.address ?? '')
    this.pool = new ConnectionPool({
      ...options,
      // Asked for each new connection: that of a managed backend is known when it has started, and may be another the next time.
      get address(): Address {
        return addressNow()
      },
    })
  }

  /** False: {@link start} must be awaited before a connection is checked out. */
  get running(): boolean {
    return this.#managed === null || this.#managed.running
  }

  /** Resolves when it runs. @throws FastCgiError why it does not, or the signal's reason */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#managed === null) return
    await unlessAborted(this.#managed.start(), signal)
  }

  /** Lets the requests under way finish, closes the connections and ends what we have started. */
  async close(): Promise<void> {
    await this.pool.close()
    await this.#managed?.stop()
  }

  /** Milliseconds that an answer took. */
  noteAnswer(duration: number): void {
    this.#managed?.noteAnswer()
    this.#latencies[this.#requests % LATENCY_WINDOW] = duration
    this.#requests += 1
  }

  noteFailure(): void {
    this.#failures += 1
  }

  get status(): BackendStatus {
    return {
      name: this.name,
      address: this.#shownAddress(),
      ...this.pool.status,
      requests: this.#requests,
      failures: this.#failures,
      latency: this.#latency(),
    }
  }

  #shownAddress(): string | null {
    if (this.#address !== null) return formatAddress(this.#address)
    return this.#managed?.running === true ? this.#managed.address : null
  }

  #latency(): BackendStatus['latency'] {
    if (this.#latencies.length === 0) return null
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
    return { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
  }
}

/** What a promise gives, unless a signal is quicker: then its reason. */
function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    if (signal.aborted) abort()
  })
}
