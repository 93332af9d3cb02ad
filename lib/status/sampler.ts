import { History } from './history.ts'
import type { ObservedGateway } from './observed.ts'

/** Milliseconds that are remembered. */
export const REMEMBERED = 300_000

/** Looks at a gateway again and again until that is closed. */
export class Sampler {
  readonly history: History
  /** Milliseconds. */
  readonly interval: number
  readonly #gateway: ObservedGateway
  readonly #timer: NodeJS.Timeout

  constructor(gateway: ObservedGateway, { interval, closed }: { interval: number; closed: AbortSignal }) {
    this.#gateway = gateway
    this.interval = interval
    this.history = new History(Math.ceil(REMEMBERED / interval))
    this.#look()
    this.#timer = setInterval(() => this.#look(), interval)
    // Nobody's process stays for it.
    this.#timer.unref()
    if (closed.aborted) this.#stop()
    else closed.addEventListener('abort', () => this.#stop(), { once: true })
  }

  #look(): void {
    this.history.record(this.#gateway.status().servers, performance.now())
  }

  #stop(): void {
    clearInterval(this.#timer)
  }
}
