import type { HealthOptions } from './health.ts'
import type { HealthCheckOptions } from './health-check.ts'

/** What is configured of a server for each of its backends. Durations in milliseconds. */
export interface BackendOptions {
  /** The server's. */
  readonly name: string
  readonly maxConnections: number
  readonly maxRequests: number
  readonly idleTimeout: number
  /** Its processes are started again when they die; a managed one's always are. */
  readonly restarts: boolean
  readonly weight: number
  readonly backup: boolean
  /** 0: it is never taken down. */
  readonly maxFails: number
  readonly failTimeout: number
  /** Null: only users' requests tell whether it is up. */
  readonly healthCheck: HealthCheckOptions | null
}

/** Where news of a backend goes. */
export interface BackendLog {
  info(message: string): void
  warn(message: string): void
}

/** What of it is the health's. */
export function healthOptions({ maxFails, failTimeout, healthCheck }: BackendOptions): HealthOptions {
  return { maxFails, failTimeout, checked: healthCheck !== null }
}

/** Both ask the same of a backend, as often. */
export function isSameCheck(one: HealthCheckOptions | null, other: HealthCheckOptions | null): boolean {
  if (one === null || other === null) return one === other
  const { interval, timeout, ping, script } = one
  const isSamePage = ping === other.ping && script === other.script
  return isSamePage && interval === other.interval && timeout === other.timeout
}
