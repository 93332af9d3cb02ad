import type { EncodedRequest } from '../client/encoded-request.ts'
import type { RequestTimeouts } from '../client/request.ts'
import type { RequestNature } from './retry.ts'
import type { WaitLimits } from './wait-queue.ts'

/** How patiently a request is put; milliseconds. The same for all requests of a location. */
export interface ExchangeLimits extends RequestTimeouts, WaitLimits {
  /** Other attempts. */
  readonly retries: number
  /** For everything, waiting and repetitions included; 0: none. */
  readonly timeout: number
}

/** A request on its way through a group of backends. */
export interface ExchangeOptions extends RequestNature {
  /** Not spread into this object: to copy the forty options of a location for each request cost 2 µs. */
  readonly limits: ExchangeLimits
  /** The same as in all diagnostics messages of the request. */
  readonly request: number
  /** The client's address. */
  readonly client: string
  readonly encoded: EncodedRequest
  /** Its connection may be kept afterwards. */
  readonly reuse: boolean
}
