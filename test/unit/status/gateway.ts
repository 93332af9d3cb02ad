import type { BackendStatus } from '../../../lib/backend/backend-status.ts'
import type { ObservedGateway, ObservedStatus } from '../../../lib/status/observed.ts'

/** A backend of which nothing is to be said but what a test says. */
export function backendStatus(facts: Partial<BackendStatus> = {}): BackendStatus {
  return {
    server: 'php',
    address: '127.0.0.1:9000',
    state: 'up',
    backup: false,
    weight: 1,
    maxConnections: 64,
    open: 0,
    idle: 0,
    busy: 0,
    waiting: 0,
    requests: 0,
    failures: 0,
    retries: 0,
    latency: null,
    latencyHistogram: { buckets: [0.1, 1], counts: [0, 0, 0], sum: 0, count: 0 },
    downSince: null,
    lastErrors: [],
    ...facts,
  }
}

/** A gateway that is as a test says. */
export function gatewayOf(facts: Partial<ObservedStatus> = {}): ObservedGateway {
  const locations = [{ name: 'site', servers: ['php'], balance: 'least-connections', waiting: 0 }]
  return { status: () => ({ servers: [backendStatus()], locations, reloads: 0, pid: 42, uptime: 1, ...facts }) }
}
