import type { Address } from '../client/address.ts'

/** What a pool is made for; each is asked for when it is needed, and may be another the next time. */
export interface PoolOptions {
  readonly address: Address
  /** Requests on one connection. */
  readonly maxRequests: number
  /** Milliseconds; does not change. */
  readonly idleTimeout: number
}

/** Who hands out a pool's places. */
export interface PoolOwner {
  /** There is a free place. False: nobody wants it. */
  placeFreed(): boolean
  /** Requests that wait for one here. */
  readonly waiting: number
}
