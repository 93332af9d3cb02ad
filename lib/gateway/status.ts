import type { BackendStatus } from '../backend/backend-status.ts'
import type { Balance } from '../backend/balance.ts'

/** A location at a moment. */
export interface LocationStatus {
  readonly name: string
  /** Names of servers, in the order of the file. */
  readonly servers: readonly string[]
  readonly balance: Balance
  /** Requests that wait for a connection to one of them. */
  readonly waiting: number
}

/** What `handler.status()` gives: a snapshot, plain data. */
export interface GatewayStatus {
  /** One for each address of each server; those that are leaving come last. */
  readonly servers: readonly BackendStatus[]
  readonly locations: readonly LocationStatus[]
  /** New configurations that were taken over. */
  readonly reloads: number
  /** The process whose connections these are: each cluster worker has its own. */
  readonly pid: number
  /** Seconds since `fastcgi()` was called. */
  readonly uptime: number
}
