import type { FastCgiError } from '../errors.ts'

/** Answers counted by how long they took, as Prometheus has histograms. */
export interface LatencyHistogram {
  /** Upper bounds in seconds, ascending. */
  readonly buckets: readonly number[]
  /** Answers in each bucket alone (not cumulated), and behind them those above the last bound. */
  readonly counts: readonly number[]
  /** Seconds that all answers took. */
  readonly sum: number
  readonly count: number
}

/** A failed attempt as anyone may see it. */
export interface NotedError {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly code: string
  /** The public message: no paths, no addresses. */
  readonly message: string
}

/** What became of the requests of a backend. */
export interface TallyStatus {
  /** Requests that got a whole answer. */
  readonly requests: number
  /** Attempts that failed. */
  readonly failures: number
  /** Failed attempts that were followed by another one, here or elsewhere. */
  readonly retries: number
  /** Milliseconds from sending a request to the end of its answer, over the last answers; null before the first. */
  readonly latency: { readonly p50: number; readonly p95: number; readonly p99: number } | null
  readonly latencyHistogram: LatencyHistogram
  /** The last ones, the oldest first. */
  readonly lastErrors: readonly NotedError[]
}

/** Answers over which quantiles are told. */
const LATENCY_WINDOW = 256

const KEPT_ERRORS = 10

/** Seconds; a logarithmic scale from what a cache answers to the longest usual read timeout. */
const BUCKETS: readonly number[] = Object.freeze([
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
])

/** Counts what became of the requests of one backend. An answer costs one step in a short table. */
export class Tally {
  readonly #window: number[] = []
  readonly #counts: number[] = Array<number>(BUCKETS.length + 1).fill(0)
  #sum = 0
  #requests = 0
  #failures = 0
  #retries = 0
  #lastErrors: readonly NotedError[] = []

  /** Milliseconds that an answer took. */
  answer(duration: number): void {
    const seconds = duration / 1000
    let bucket = 0
    while (seconds > (BUCKETS[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sum += seconds
    this.#window[this.#requests % LATENCY_WINDOW] = duration
    this.#requests += 1
  }

  failure({ code, message }: FastCgiError): void {
    this.#failures += 1
    this.#lastErrors = [...this.#lastErrors.slice(1 - KEPT_ERRORS), { time: Date.now(), code, message }]
  }

  retry(): void {
    this.#retries += 1
  }

  get status(): TallyStatus {
    return {
      requests: this.#requests,
      failures: this.#failures,
      retries: this.#retries,
      latency: this.#quantiles(),
      latencyHistogram: { buckets: BUCKETS, counts: [...this.#counts], sum: this.#sum, count: this.#requests },
      lastErrors: this.#lastErrors,
    }
  }

  #quantiles(): TallyStatus['latency'] {
    if (this.#window.length === 0) return null
    const sorted = this.#window.toSorted((a, b) => a - b)
    const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
    return { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
  }
}
