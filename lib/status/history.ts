import type { BackendStatus } from '../backend/backend-status.ts'

/** A backend at a moment. */
type Reading = Pick<BackendStatus, 'open' | 'idle' | 'busy' | 'waiting' | 'requests' | 'failures' | 'latency'>

interface Sample {
  /** Milliseconds of a clock that never goes back. */
  readonly time: number
  readonly readings: ReadonlyMap<string, Reading>
}

/** One backend over time: a value for each sample, null where there is none. */
export interface Series {
  readonly open: readonly (number | null)[]
  readonly idle: readonly (number | null)[]
  readonly busy: readonly (number | null)[]
  readonly waiting: readonly (number | null)[]
  readonly requestsPerSecond: readonly (number | null)[]
  readonly failuresPerSecond: readonly (number | null)[]
  /** Milliseconds; null also where nothing was answered since the sample before. */
  readonly p50: readonly (number | null)[]
  readonly p95: readonly (number | null)[]
  readonly p99: readonly (number | null)[]
}

/** What became of requests, a second. */
export interface Rates {
  readonly requestsPerSecond: number
  readonly failuresPerSecond: number
}

/** Milliseconds over which rates of now are taken: shorter ones jump. */
const RATE_WINDOW = 10_000

/** What tells one backend from another, over time. */
export function backendKey({ server, address }: Pick<BackendStatus, 'server' | 'address'>): string {
  return `${server}\n${address ?? ''}`
}

/** The last samples of a gateway, the oldest of which makes room for the next. */
export class History {
  readonly #capacity: number
  readonly #samples: Sample[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Milliseconds, the oldest first. */
  get times(): readonly number[] {
    return this.#samples.map(({ time }) => time)
  }

  record(backends: readonly BackendStatus[], time: number): void {
    if (this.#samples.length === this.#capacity) this.#samples.shift()
    const readings = new Map(backends.map((backend) => [backendKey(backend), readingOf(backend)]))
    this.#samples.push({ time, readings })
  }

  seriesOf(key: string): Series {
    const readings = this.#samples.map(({ readings }) => readings.get(key) ?? null)
    const rate = (of: 'requests' | 'failures'): (number | null)[] =>
      readings.map((_, index) => this.#rate(key, of, index))
    const latency = (of: 'p50' | 'p95' | 'p99'): (number | null)[] =>
      readings.map((reading, index) => {
        const isQuiet = reading?.requests === (readings[index - 1]?.requests ?? 0)
        return isQuiet ? null : (reading?.latency?.[of] ?? null)
      })
    const level = (of: 'open' | 'idle' | 'busy' | 'waiting'): (number | null)[] =>
      readings.map((reading) => reading?.[of] ?? null)
    return {
      open: level('open'),
      idle: level('idle'),
      busy: level('busy'),
      waiting: level('waiting'),
      requestsPerSecond: rate('requests'),
      failuresPerSecond: rate('failures'),
      p50: latency('p50'),
      p95: latency('p95'),
      p99: latency('p99'),
    }
  }

  /** Of a backend as it is at a time after the last sample. */
  ratesOf(backend: BackendStatus, time: number): Rates {
    const key = backendKey(backend)
    const since = this.#samples.find((sample) => time - sample.time <= RATE_WINDOW && sample.readings.has(key))
    const then = since?.readings.get(key)
    if (since === undefined || then === undefined || time <= since.time) {
      return { requestsPerSecond: 0, failuresPerSecond: 0 }
    }
    const seconds = (time - since.time) / 1000
    return {
      requestsPerSecond: increase(then.requests, backend.requests) / seconds,
      failuresPerSecond: increase(then.failures, backend.failures) / seconds,
    }
  }

  #rate(key: string, of: 'requests' | 'failures', index: number): number | null {
    const [before, now] = [this.#samples[index - 1], this.#samples[index]]
    const [past, present] = [before?.readings.get(key), now?.readings.get(key)]
    if (before === undefined || now === undefined || past === undefined || present === undefined) return null
    return (increase(past[of], present[of]) * 1000) / Math.max(1, now.time - before.time)
  }
}

function readingOf({ open, idle, busy, waiting, requests, failures, latency }: BackendStatus): Reading {
  return { open, idle, busy, waiting, requests, failures, latency }
}

/** A counter that is lower than it was belongs to a backend that left and came back. */
function increase(before: number, now: number): number {
  return now >= before ? now - before : now
}
