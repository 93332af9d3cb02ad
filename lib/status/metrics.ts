import type { BackendStatus } from '../backend/backend-status.ts'
import type { BackendState, ObservedStatus } from './observed.ts'

/** A value of a metric; `name` where it is not the metric's own. */
export interface MetricValue {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** A metric by the conventions of Prometheus: base units, counters end in `_total`. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** How values of equal labels become one: those of several gateways, and of a cluster's workers. */
  readonly aggregator: 'sum' | 'min' | 'max'
  readonly values: (status: ObservedStatus) => readonly MetricValue[]
}

const PREFIX = 'express_fastcgi_'
const DURATION = `${PREFIX}request_duration_seconds`
const STATES: readonly BackendState[] = ['up', 'down', 'probing', 'draining', 'stopped']

/** Everything that is told to Prometheus. */
export const METRICS: readonly MetricFamily[] = [
  {
    ...gauge('backend_up', 'Whether the backend takes requests.', 'min'),
    values: ({ servers }) => servers.map((one) => ({ labels: labelsOf(one), value: Number(isUp(one.state)) })),
  },
  {
    ...gauge('backend_state', 'The state of the backend: 1 for the one that it is in.', 'max'),
    values: ({ servers }) =>
      servers.flatMap((one) =>
        STATES.map((state) => ({ labels: { ...labelsOf(one), state }, value: Number(one.state === state) })),
      ),
  },
  {
    ...gauge('connections', 'Open connections to the backend.'),
    values: ({ servers }) =>
      servers.flatMap((one) => [
        { labels: { ...labelsOf(one), state: 'busy' }, value: one.busy },
        { labels: { ...labelsOf(one), state: 'idle' }, value: one.idle },
      ]),
  },
  {
    ...gauge('connections_max', 'Connections that may be open now.'),
    values: ({ servers }) => servers.map((one) => ({ labels: labelsOf(one), value: one.maxConnections })),
  },
  counter('requests', 'Requests that got a whole answer.'),
  counter('failures', 'Attempts that failed.'),
  counter('retries', 'Failed attempts that were followed by another one.'),
  {
    name: DURATION,
    help: 'Time from sending a request to the end of its answer.',
    type: 'histogram',
    aggregator: 'sum',
    values: ({ servers }) => servers.flatMap(durations),
  },
  {
    ...gauge('waiting_requests', 'Requests of the location that wait for a connection.'),
    values: ({ locations }) => locations.map(({ name, waiting }) => ({ labels: { location: name }, value: waiting })),
  },
  {
    name: `${PREFIX}reloads_total`,
    help: 'New configurations that were taken over.',
    type: 'counter',
    aggregator: 'max',
    values: ({ reloads }) => [{ labels: {}, value: reloads }],
  },
  {
    ...gauge('start_time_seconds', 'When the gateway was made, since the epoch.', 'min'),
    values: ({ uptime }) => [{ labels: {}, value: Math.round(Date.now() / 1000 - uptime) }],
  },
]

function gauge(
  name: string,
  help: string,
  aggregator: MetricFamily['aggregator'] = 'sum',
): Omit<MetricFamily, 'values'> {
  return { name: PREFIX + name, type: 'gauge', help, aggregator }
}

/** What a backend counts under this name. */
function counter(of: 'requests' | 'failures' | 'retries', help: string): MetricFamily {
  return {
    name: `${PREFIX}${of}_total`,
    help,
    type: 'counter',
    aggregator: 'sum',
    values: ({ servers }) => servers.map((one) => ({ labels: labelsOf(one), value: one[of] })),
  }
}

function isUp(state: BackendState): boolean {
  return state === 'up' || state === 'stopped'
}

function labelsOf({ server, address }: BackendStatus): MetricValue['labels'] {
  return { server, address: address ?? '' }
}

/** Buckets count up: each holds those below it too. */
function durations(backend: BackendStatus): readonly MetricValue[] {
  const { buckets, counts, sum, count } = backend.latencyHistogram
  const labels = labelsOf(backend)
  let below = 0
  const values: MetricValue[] = buckets.map((bound, index) => {
    below += counts[index] ?? 0
    return { metricName: `${DURATION}_bucket`, labels: { ...labels, le: bound }, value: below }
  })
  return [
    ...values,
    { metricName: `${DURATION}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${DURATION}_sum`, labels, value: sum },
    { metricName: `${DURATION}_count`, labels, value: count },
  ]
}
