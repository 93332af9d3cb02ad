import { FastCgiError } from '../../errors.ts'
import type { AwaitedClient, BodyDeadline } from './body-deadline.ts'
import { clientGone, readBody } from './body-reading.ts'
import { BodySpool } from './body-spool.ts'
import type { ClientRequest } from './client-request.ts'

/** What holds while a body is collected. */
export interface CollectionRules {
  /** Bytes that were announced, if they were. */
  readonly length: number | 'unknown'
  /** Bytes; a longer body is 413. */
  readonly bodyLimit: number
  readonly client: Pick<AwaitedClient, 'check' | 'onLeave'>
  readonly deadline: BodyDeadline
}

/** Bytes that are kept in memory; a longer body goes to a temporary file. */
const MOST_IN_MEMORY = 1024 * 1024

/** A body that has been read to its end: bytes, or a file, which must be closed. */
export type CollectedBody = Buffer | BodySpool

/** Reads a whole body, into memory as long as it is small. Rejects with {@link FastCgiError}; then nothing is left behind. */
export async function collectBody(req: ClientRequest, rules: CollectionRules): Promise<CollectedBody> {
  const collector = new BodyCollector(rules)
  try {
    const { client, deadline } = rules
    await readBody(req, { client, deadline, take: (chunk) => collector.take(chunk) })
    return collector.finish()
  } catch (error) {
    await collector.discard()
    throw error
  }
}

/** The failure of a body that is longer than is allowed. */
export function bodyTooLarge(limit: number): FastCgiError {
  return new FastCgiError('ERR_FCGI_BODY_LIMIT', {
    detail: `The request body is longer than bodyLimit, ${limit} bytes; raise it (BodyLimit) if such bodies are wanted`,
  })
}

class BodyCollector {
  readonly #rules: CollectionRules
  #chunks: Buffer[] = []
  #length = 0
  #spool: BodySpool | null = null
  #spilling: Promise<void> | undefined

  constructor(rules: CollectionRules) {
    this.#rules = rules
  }

  take(chunk: Buffer): Promise<void> | undefined {
    const { length, bodyLimit } = this.#rules
    this.#length += chunk.length
    if (this.#length > bodyLimit) throw bodyTooLarge(bodyLimit)
    if (length !== 'unknown' && this.#length > length) {
      throw new FastCgiError('ERR_FCGI_BODY_LENGTH', {
        detail: `More came than the ${length} bytes of its Content-Length`,
      })
    }
    this.#chunks.push(chunk)
    if (this.#length <= MOST_IN_MEMORY) return undefined
    this.#spilling = this.#spill()
    return this.#spilling
  }

  finish(): CollectedBody {
    const { length } = this.#rules
    if (length !== 'unknown' && this.#length < length) throw clientGone()
    if (this.#spool !== null) return this.#spool
    const [first] = this.#chunks
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#length)
  }

  async discard(): Promise<void> {
    this.#chunks = []
    await this.#spilling?.catch(() => undefined)
    this.#spool?.close()
  }

  async #spill(): Promise<void> {
    const chunks = this.#chunks
    this.#chunks = []
    this.#spool ??= await BodySpool.create()
    for (const chunk of chunks) await this.#spool.append(chunk)
  }
}
