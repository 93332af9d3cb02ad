import type { HealthState } from './health.ts'
import type { TallyStatus } from './tally.ts'

/** What a pool holds at a moment. */
export interface PoolStatus {
  readonly open: number
  readonly idle: number
  readonly busy: number
}

/** A backend at a moment, as `handler.status()` tells it: plain data. */
export interface BackendStatus extends PoolStatus, TallyStatus {
  /** The server's name. */
  readonly server: string
  /** Null: not started yet. */
  readonly address: string | null
  /** `draining`: no more requests; `stopped`: starts with its next request. */
  readonly state: HealthState | 'draining' | 'stopped'
  readonly backup: boolean
  readonly weight: number
  /** Connections that may be open now: `maxConnections`, or this process's share. */
  readonly maxConnections: number
  /** Waiting requests that it could serve. */
  readonly waiting: number
  /** Milliseconds since 1970; null: it is up. */
  readonly downSince: number | null
}
