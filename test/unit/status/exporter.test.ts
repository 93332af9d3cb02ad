import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Counter, type OpenMetricsContentType, Registry } from 'prom-client'
import { exportTo } from '../../../lib/status/exporter.ts'
import type { ObservedGateway } from '../../../lib/status/observed.ts'
import { type Family, parseExposition } from '../../support/exposition.ts'
import { backendStatus, gatewayOf } from './gateway.ts'

/** Of a gateway that is never closed. */
function open(): AbortSignal {
  return new AbortController().signal
}

async function scrape(...gateways: readonly ObservedGateway[]): Promise<ReadonlyMap<string, Family>> {
  const registry = new Registry()
  for (const gateway of gateways) exportTo(registry, gateway, open())
  return parseExposition(await registry.metrics())
}

/** The values of a metric by their labels: all but those that are left out. */
function valuesOf(families: ReadonlyMap<string, Family>, name: string): Readonly<Record<string, number>> {
  const { series } = families.get(`express_fastcgi_${name}`) ?? assert.fail(`no ${name}`)
  return Object.fromEntries(series.map(({ labels, value }) => [Object.values(labels).join(' '), value]))
}

describe('a scrape', () => {
  it('tells what backends have counted, under the names of Prometheus', async () => {
    const families = await scrape(
      gatewayOf({
        servers: [
          backendStatus({ requests: 7, failures: 2, retries: 1, busy: 3, idle: 4, open: 7, maxConnections: 9 }),
          backendStatus({ server: 'two', address: null, state: 'down' }),
        ],
        reloads: 5,
        locations: [{ name: 'site', servers: ['php'], balance: 'fill', waiting: 6 }],
      }),
    )
    assert.deepEqual(valuesOf(families, 'requests_total'), { 'php 127.0.0.1:9000': 7, 'two ': 0 })
    assert.deepEqual(valuesOf(families, 'failures_total'), { 'php 127.0.0.1:9000': 2, 'two ': 0 })
    assert.deepEqual(valuesOf(families, 'retries_total'), { 'php 127.0.0.1:9000': 1, 'two ': 0 })
    assert.deepEqual(valuesOf(families, 'connections_max'), { 'php 127.0.0.1:9000': 9, 'two ': 64 })
    assert.deepEqual(valuesOf(families, 'connections'), {
      'php 127.0.0.1:9000 busy': 3,
      'php 127.0.0.1:9000 idle': 4,
      'two  busy': 0,
      'two  idle': 0,
    })
    assert.deepEqual(valuesOf(families, 'backend_up'), { 'php 127.0.0.1:9000': 1, 'two ': 0 })
    assert.deepEqual(valuesOf(families, 'waiting_requests'), { site: 6 })
    assert.deepEqual(valuesOf(families, 'reloads_total'), { '': 5 })
    assert.equal(families.get('express_fastcgi_requests_total')?.type, 'counter')
    assert.deepEqual(families.get('express_fastcgi_requests_total')?.series[0]?.labels, {
      server: 'php',
      address: '127.0.0.1:9000',
    })
  })

  it('has the start of the gateway in seconds since the epoch', async () => {
    const started = valuesOf(await scrape(gatewayOf({ uptime: 3600 })), 'start_time_seconds')[''] ?? 0
    assert.ok(Math.abs(started - (Date.now() / 1000 - 3600)) < 100, `${started}`)
  })

  it('has each state as a series, of which one is 1', async () => {
    for (const state of ['up', 'down', 'probing', 'draining', 'stopped'] as const) {
      const families = await scrape(gatewayOf({ servers: [backendStatus({ state })] }))
      const states = valuesOf(families, 'backend_state')
      assert.equal(Object.keys(states).length, 5)
      assert.deepEqual(
        Object.keys(states).filter((key) => states[key] === 1),
        [`php 127.0.0.1:9000 ${state}`],
      )
      const isUp = state === 'up' || state === 'stopped'
      assert.deepEqual(valuesOf(families, 'backend_up'), { 'php 127.0.0.1:9000': Number(isUp) })
    }
  })

  it('has a histogram whose buckets count up', async () => {
    const latencyHistogram = { buckets: [0.1, 0.5, 1], counts: [4, 0, 2, 3], sum: 17.5, count: 9 }
    const { series } =
      (await scrape(gatewayOf({ servers: [backendStatus({ latencyHistogram })] }))).get(
        'express_fastcgi_request_duration_seconds',
      ) ?? assert.fail()
    assert.deepEqual(
      series.map(({ name, labels, value }) => [name.split('_').at(-1), labels.le, value]),
      [
        ['bucket', '0.1', 4],
        ['bucket', '0.5', 4],
        ['bucket', '1', 6],
        ['bucket', '+Inf', 9],
        ['sum', undefined, 17.5],
        ['count', undefined, 9],
      ],
    )
  })

  it('escapes names that a configuration may have', async () => {
    const families = await scrape(gatewayOf({ servers: [backendStatus({ server: 'a "b" \\ c\nd' })] }))
    assert.equal(families.get('express_fastcgi_requests_total')?.series[0]?.labels.server, 'a "b" \\ c\nd')
  })

  it('adds the gateways that share a backend', async () => {
    const families = await scrape(
      gatewayOf({ servers: [backendStatus({ requests: 7, busy: 1 })], uptime: 100 }),
      gatewayOf({ servers: [backendStatus({ requests: 5, busy: 2, state: 'down' })], uptime: 1_000_000 }),
    )
    assert.deepEqual(valuesOf(families, 'requests_total'), { 'php 127.0.0.1:9000': 12 })
    assert.equal(valuesOf(families, 'connections')['php 127.0.0.1:9000 busy'], 3)
    assert.deepEqual(valuesOf(families, 'backend_up'), { 'php 127.0.0.1:9000': 0 })
    assert.ok((valuesOf(families, 'start_time_seconds')[''] ?? 0) < Date.now() / 1000 - 900_000)
  })

  it('asks a gateway once, and every scrape anew', async () => {
    let asked = 0
    const gateway = gatewayOf()
    const registry = new Registry()
    const status = (): ReturnType<ObservedGateway['status']> => {
      asked += 1
      return gateway.status()
    }
    exportTo(registry, { status }, open())
    await registry.metrics()
    await registry.metrics()
    assert.equal(asked, 2)
  })

  it('is OpenMetrics where the registry is', async () => {
    const registry = new Registry<OpenMetricsContentType>()
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
    exportTo(registry, gatewayOf({ servers: [backendStatus({ requests: 3 })] }), open())
    for (const text of [await registry.metrics(), await registry.metrics()]) {
      assert.match(text, /^# TYPE express_fastcgi_requests counter\nexpress_fastcgi_requests_total\{.*\} 3$/m)
      assert.match(text, /\n# EOF\n$/)
    }
  })
})

describe('a registry of the user', () => {
  it('keeps what it has, through a reset too', async () => {
    const registry = new Registry()
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc(3)
    exportTo(registry, gatewayOf({ servers: [backendStatus({ requests: 3 })] }), open())
    registry.resetMetrics()
    const families = parseExposition(await registry.metrics())
    assert.equal(families.get('orders_total')?.series[0]?.value, 0)
    assert.equal(families.get('express_fastcgi_requests_total')?.series[0]?.value, 3)
  })

  it('loses the metrics when the last gateway has closed', async () => {
    const registry = new Registry()
    const [first, second] = [new AbortController(), new AbortController()]
    exportTo(registry, gatewayOf({ servers: [backendStatus({ requests: 3 })] }), first.signal)
    exportTo(registry, gatewayOf({ servers: [backendStatus({ requests: 4 })] }), second.signal)
    first.abort()
    const families = parseExposition(await registry.metrics())
    assert.equal(families.get('express_fastcgi_requests_total')?.series[0]?.value, 4)
    second.abort()
    assert.equal((await registry.metrics()).trim(), '')
    exportTo(registry, gatewayOf(), open())
    assert.match(await registry.metrics(), /requests_total/)
  })

  it('is not touched by a gateway that is closed already', async () => {
    const registry = new Registry()
    exportTo(registry, gatewayOf(), AbortSignal.abort())
    assert.equal((await registry.metrics()).trim(), '')
  })

  it('adds up the workers of a cluster', async () => {
    const { AggregatorRegistry } = await import('prom-client')
    const workers = [7, 5].map((requests) => {
      const registry = new Registry()
      const latencyHistogram = { buckets: [0.1], counts: [requests, 0], sum: requests, count: requests }
      exportTo(registry, gatewayOf({ servers: [backendStatus({ requests, latencyHistogram })] }), open())
      return registry.getMetricsAsJSON()
    })
    const whole = AggregatorRegistry.aggregate(await Promise.all(workers))
    const families = parseExposition(await whole.metrics())
    assert.deepEqual(valuesOf(families, 'requests_total'), { 'php 127.0.0.1:9000': 12 })
    assert.deepEqual(families.get('express_fastcgi_request_duration_seconds')?.series.at(-1)?.value, 12)
  })
})
