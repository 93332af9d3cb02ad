import { formatAddress, parseAddress } from '../client/address.ts'
import { ConnectionPool, type PoolStatus } from './pool.ts'

/** A configured server. */
export interface BackendOptions {
  readonly name: string
  readonly address: string
  readonly maxConnections: number
  readonly maxRequests: number
  readonly idleTimeout: number
}

/** A server at run time, as `handler.status()` tells it. */
export interface BackendStatus extends PoolStatus {
  readonly name: string
  readonly address: string
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
  readonly #address: string
  readonly #latencies: number[] = []
  #requests = 0
  #failures = 0

  /** Throws OptionError when the address is none. */
  constructor(options: BackendOptions) {
    const address = parseAddress(options.address)
    this.name = options.name
    this.#address = formatAddress(address)
    this.pool = new ConnectionPool({ ...options, address })
  }

  /** Milliseconds that an answer took. */
  noteAnswer(duration: number): void {
    this.#latencies[this.#requests % LATENCY_WINDOW] = duration
    this.#requests += 1
  }

  noteFailure(): void {
    this.#failures += 1
  }

  get status(): BackendStatus {
    return {
      name: this.name,
      address: this.#address,
      ...this.pool.status,
      requests: this.#requests,
      failures: this.#failures,
      latency: this.#latency(),
    }
  }

  #latency(): BackendStatus['latency'] {
    if (this.#latencies.length === 0) return null
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
    return { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
  }
}
