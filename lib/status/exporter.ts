import { METRICS, type MetricFamily, type MetricValue } from './metrics.ts'
import type { ObservedGateway, ObservedStatus } from './observed.ts'

/** A registry of prom-client (15 and later), as much of it as is used. */
export interface MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
  // Methods: prom-client's own take narrower types.
  registerMetric(metric: object): void
  removeSingleMetric(name: string): void
}

const exporters = new WeakMap<MetricsRegistry, Exporter>()

/** Puts a gateway's metrics into a registry until the gateway is closed; several gateways may share one. */
export function exportTo(registry: MetricsRegistry, gateway: ObservedGateway, closed: AbortSignal): void {
  if (closed.aborted) return
  const exporter = exporters.get(registry) ?? new Exporter(registry)
  exporters.set(registry, exporter)
  exporter.add(gateway)
  closed.addEventListener('abort', () => exporter.delete(gateway), { once: true })
}

/** The gateways of one registry. They count for themselves: a scrape asks them, nothing is copied in between. */
class Exporter {
  readonly #registry: MetricsRegistry
  readonly #gateways = new Set<ObservedGateway>()
  /** Of the scrape under way, so that its metrics agree with each other. */
  #statuses: readonly ObservedStatus[] | null = null

  constructor(registry: MetricsRegistry) {
    this.#registry = registry
  }

  /** @throws Error of prom-client when somebody else has one of these names there */
  add(gateway: ObservedGateway): void {
    if (this.#gateways.size === 0) for (const family of METRICS) this.#register(family)
    this.#gateways.add(gateway)
  }

  delete(gateway: ObservedGateway): void {
    if (!this.#gateways.delete(gateway) || this.#gateways.size > 0) return
    for (const { name } of METRICS) this.#registry.removeSingleMetric(name)
  }

  /** The shape of prom-client's own metrics; their classes could not be told a whole histogram. */
  #register({ name, help, type, aggregator, values }: MetricFamily): void {
    const metric = {
      // For OpenMetrics prom-client writes another name of a counter over it.
      name,
      help,
      type,
      aggregator,
      get: async (): Promise<object> => ({
        name: metric.name,
        help,
        type,
        aggregator,
        values: merged(this.#now().flatMap(values), aggregator),
      }),
      // What a backend has counted is not prom-client's to forget.
      reset: (): void => undefined,
    }
    this.#registry.registerMetric(metric)
  }

  /** prom-client asks all metrics of a scrape in one turn. */
  #now(): readonly ObservedStatus[] {
    if (this.#statuses === null) {
      this.#statuses = [...this.#gateways].map((gateway) => gateway.status())
      queueMicrotask(() => {
        this.#statuses = null
      })
    }
    return this.#statuses
  }
}

const MERGE: Readonly<Record<MetricFamily['aggregator'], (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  min: Math.min,
  max: Math.max,
}

/** Two values of one name and the same labels would make the whole scrape invalid. */
function merged(values: readonly MetricValue[], aggregator: MetricFamily['aggregator']): readonly MetricValue[] {
  const byLabels = new Map<string, MetricValue>()
  for (const value of values) {
    const key = `${value.metricName} ${JSON.stringify(value.labels)}`
    const other = byLabels.get(key)
    byLabels.set(key, other === undefined ? value : { ...value, value: MERGE[aggregator](other.value, value.value) })
  }
  return [...byLabels.values()]
}
