import cluster from 'node:cluster'
import type { BackendStatus } from '../backend/backend-status.ts'
import { backendKey, type Rates, type Series } from './history.ts'
import type { ObservedGateway, ObservedStatus } from './observed.ts'
import { REMEMBERED, type Sampler } from './sampler.ts'

/** A backend with where it comes from. */
export interface BackendReport extends BackendStatus {
  readonly rates: Rates
  readonly history: Series
}

/** Everything that the status page tells, plain data. */
export interface StatusReport extends ObservedStatus {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** In Node's cluster: which worker tells only of itself. */
  readonly worker: number | null
  readonly totals: Rates & {
    readonly requests: number
    readonly failures: number
    readonly retries: number
    /** Requests that wait in any location. */
    readonly waiting: number
  }
  readonly servers: readonly BackendReport[]
  readonly history: {
    /** Milliseconds between two samples. */
    readonly interval: number
    /** Milliseconds that are remembered. */
    readonly span: number
    /** Milliseconds since the epoch, one for each value of a backend's history. */
    readonly times: readonly number[]
  }
}

/** A gateway now and over the last minutes. */
export function reportOf(gateway: ObservedGateway, { history, interval }: Sampler): StatusReport {
  const status = gateway.status()
  const now = performance.now()
  const time = Date.now()
  const servers = status.servers.map((backend) => ({
    ...backend,
    rates: history.ratesOf(backend, now),
    history: history.seriesOf(backendKey(backend)),
  }))
  const times = history.times.map((sampled) => Math.round(time - (now - sampled)))
  return {
    ...status,
    time,
    worker: cluster.worker?.id ?? null,
    totals: totalsOf(servers, status.locations),
    servers,
    history: { interval, span: REMEMBERED, times },
  }
}

function totalsOf(servers: readonly BackendReport[], locations: ObservedStatus['locations']): StatusReport['totals'] {
  const sum = <One>(list: readonly One[], of: (one: One) => number): number =>
    list.reduce((total, one) => total + of(one), 0)
  return {
    requests: sum(servers, ({ requests }) => requests),
    failures: sum(servers, ({ failures }) => failures),
    retries: sum(servers, ({ retries }) => retries),
    requestsPerSecond: sum(servers, ({ rates }) => rates.requestsPerSecond),
    failuresPerSecond: sum(servers, ({ rates }) => rates.failuresPerSecond),
    waiting: sum(locations, ({ waiting }) => waiting),
  }
}
