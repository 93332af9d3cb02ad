import type { EncodedRequest } from '../client/encoded-request.ts'
import type { RequestTimeouts } from '../client/request.ts'
import type { RequestNature } from './retry.ts'
import type { WaitLimits } from './wait-queue.ts'

/** A request and how patiently it is put; milliseconds. */
export interface ExchangeOptions extends RequestNature, RequestTimeouts, WaitLimits {
  /** The same as in all diagnostics messages of the request. */
  readonly request: number
  /** The client's address. */
  readonly client: string
  readonly encoded: EncodedRequest
  /** Its connection may be kept afterwards. */
  readonly reuse: boolean
  /** Other attempts. */
  readonly retries: number
  /** For everything, waiting and repetitions included; 0: none. */
  readonly timeout: number
}
