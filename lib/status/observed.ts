import type { BackendStatus } from '../backend/backend-status.ts'

/** What may be said of a backend's health. */
export type BackendState = BackendStatus['state']

/** As much of a location as is shown. */
export interface ObservedLocation {
  readonly name: string
  /** Names of servers. */
  readonly servers: readonly string[]
  readonly balance: string
  readonly waiting: number
}

/** A gateway at a moment. */
export interface ObservedStatus {
  readonly servers: readonly BackendStatus[]
  readonly locations: readonly ObservedLocation[]
  /** New configurations that it took over. */
  readonly reloads: number
  readonly pid: number
  /** Seconds. */
  readonly uptime: number
}

/** What can be asked how it is. */
export interface ObservedGateway {
  status(): ObservedStatus
}
