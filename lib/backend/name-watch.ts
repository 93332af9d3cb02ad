import type { Address } from '../client/address.ts'
import { FastCgiError } from '../errors.ts'
import { isLoopback, lookUpName, type NameLookup, type NameRecord, unresolvedError } from './name-lookup.ts'

/** A server whose host is a name, and who is told of its addresses. */
export interface NameWatchOptions {
  /** No IP address. */
  readonly host: string
  readonly port: number
  /** The addresses are others than before, the first ones included: never none. */
  readonly onChange: (addresses: readonly Address[]) => void
  /** The name could be resolved before and cannot be now: told once, until it can again. */
  readonly onError: (error: FastCgiError) => void
  /**
   * Milliseconds after which the name is asked again at the latest, whatever its TTL. Default 30 s: Docker's DNS tells 600 s for
   * containers that come and go, and setTimeout() has no room for the longest TTLs (RFC 2181 section 8).
   */
  readonly interval?: number
  /** Asks the system. Default: the system that this runs on. */
  readonly lookUp?: (host: string) => NameLookup
}

const DEFAULT_INTERVAL = 30_000

/** Milliseconds that an answer is good for at least: a TTL of 0 must not become a stream of questions. */
const SHORTEST_INTERVAL = 1000

/** Milliseconds before a failing look-up is repeated: at first, doubled each time, and at most. */
const FIRST_PAUSE = 1000
const LONGEST_PAUSE = 30_000

type TcpAddress = Extract<Address, { readonly kind: 'tcp' }>

/** A first look-up, and those who wait for it. */
interface FirstLookup {
  readonly ended: Promise<void>
  readonly settle: (error: FastCgiError | null) => void
}

/**
 * The addresses of a host name over time. Each is a backend of its own (a headless service of Kubernetes, a scaled service of Docker).
 * A name that means this machine (localhost) stays one address, the name: it is one backend on two families, and net.connect()
 * finds the family. Known addresses keep their order and identity, new ones come behind.
 */
export class NameWatch {
  readonly #options: NameWatchOptions
  readonly #interval: number
  readonly #lookUp: (host: string) => NameLookup
  #addresses: readonly TcpAddress[] = []
  #first: FirstLookup | null = null
  /** The last question: its records may still come when its addresses have. */
  #lookup: NameLookup | null = null
  #timer: NodeJS.Timeout | null = null
  /** Look-ups that failed one after the other. */
  #failures = 0
  #closed = false

  constructor(options: NameWatchOptions) {
    this.#options = options
    this.#interval = options.interval ?? DEFAULT_INTERVAL
    this.#lookUp = options.lookUp ?? lookUpName
  }

  /** The last ones known; none before the first answer. */
  get addresses(): readonly Address[] {
    return this.#addresses
  }

  /**
   * Resolves when there are addresses. The first call starts the watch; after a failure the next call asks again. All who wait share
   * one look-up, which may take as long as the system likes: race it.
   * @throws FastCgiError ERR_FCGI_CONNECT that says why there are none, ERR_FCGI_CLOSED
   */
  async ready(): Promise<void> {
    if (this.#closed) throw closedError()
    if (this.#addresses.length > 0) return
    if (this.#first === null) {
      this.#first = firstLookup()
      this.#ask()
    }
    await this.#first.ended
  }

  /** Asks no more and tells no more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#disarm()
    this.#lookup?.cancel()
    this.#endFirst(closedError())
  }

  readonly #ask = (): void => {
    this.#disarm()
    this.#lookup?.cancel()
    const lookup = this.#lookUp(this.#options.host)
    this.#lookup = lookup
    lookup.addresses.then(
      (found) => this.#accept(found, lookup),
      (error: unknown) => this.#fail(error),
    )
  }

  #accept(found: readonly string[], lookup: NameLookup): void {
    if (this.#closed) return
    if (found.length === 0) return this.#fail('the system knows the name, but no address')
    this.#failures = 0
    this.#arm(this.#interval)
    lookup.records.then((records) => this.#shorten(records, lookup))
    this.#replace(found.every(isLoopback) ? [this.#options.host] : [...new Set(found)])
    this.#endFirst(null)
  }

  #fail(thrown: unknown): void {
    if (this.#closed) return
    this.#lookup?.cancel()
    const { host, port, onError } = this.#options
    const error = unresolvedError(thrown, { kind: 'tcp', host, port }, this.#addresses)
    if (this.#first !== null) return this.#endFirst(error)
    this.#arm(Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures))
    this.#failures += 1
    if (this.#failures === 1) onError(error)
  }

  #replace(hosts: readonly string[]): void {
    const { port, onChange } = this.#options
    const kept = this.#addresses.filter(({ host }) => hosts.includes(host))
    const added = hosts.filter((host) => !kept.some((address) => address.host === host))
    if (added.length === 0 && kept.length === this.#addresses.length) return
    this.#addresses = [...kept, ...added.map((host) => ({ kind: 'tcp', host, port }) as const)]
    onChange(this.#addresses)
  }

  /** The DNS says for how long the answer is good; of other addresses (another view of the name) it says nothing. */
  #shorten(records: readonly NameRecord[], lookup: NameLookup): void {
    if (this.#closed || this.#lookup !== lookup) return
    const hosts = new Set(this.#addresses.map(({ host }) => host))
    const ttls = records.filter(({ address }) => hosts.has(address)).map(({ ttl }) => ttl * 1000)
    const lifetime = Math.max(SHORTEST_INTERVAL, Math.min(...ttls))
    if (lifetime < this.#interval) this.#arm(lifetime)
  }

  #endFirst(error: FastCgiError | null): void {
    this.#first?.settle(error)
    this.#first = null
  }

  #arm(delay: number): void {
    this.#disarm()
    this.#timer = setTimeout(this.#ask, delay).unref()
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

function firstLookup(): FirstLookup {
  let settle: FirstLookup['settle'] = () => undefined
  const ended = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === null ? resolve() : reject(error))
  })
  return { ended, settle }
}

function closedError(): FastCgiError {
  return new FastCgiError('ERR_FCGI_CLOSED')
}
