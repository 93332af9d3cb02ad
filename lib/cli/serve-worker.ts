import cluster from 'node:cluster'
import { setTimeout as wait } from 'node:timers/promises'
import type { SiteSetup } from './serve-setup.ts'
import { ignoreTerminal } from './serve-signals.ts'
import type { Site } from './serve-site.ts'
import { type ReloadOrder, unpackSetup, type WorkerOrder, type WorkerReport } from './serve-worker-messages.ts'

/** How often a worker looks whether its last requests to a retired backend are over, milliseconds. */
const LOOK = 100

/** The life of a worker: serves until the primary or SIGTERM says stop. Resolves with the exit code. */
export async function runWorker(createSite: (setup: SiteSetup) => Site, host: string): Promise<number> {
  ignoreTerminal()
  const worker = new SiteWorker(createSite, host)
  process.once('SIGTERM', () => worker.stop())
  process.on('message', (order: WorkerOrder) => worker.obey(order))
  await report({ kind: 'ready' })
  await worker.ended
  cluster.worker?.disconnect()
  return 0
}

/** Does what the primary says, one thing after the other. */
class SiteWorker {
  readonly ended: Promise<void>
  readonly #createSite: (setup: SiteSetup) => Site
  readonly #host: string
  #site: Site | null = null
  #end: () => void = () => undefined
  #working: Promise<void> = Promise.resolve()
  #stopping = false

  constructor(createSite: (setup: SiteSetup) => Site, host: string) {
    this.#createSite = createSite
    this.#host = host
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  obey(order: WorkerOrder): void {
    switch (order.kind) {
      case 'serve':
        return this.#do(() => this.#serve(unpackSetup(order.setup), order.port))
      case 'reload':
        return this.#do(() => this.#reload(order))
      case 'stop':
        return this.stop()
      default:
        // Other rooms of the package use the channel, too.
        return undefined
    }
  }

  stop(): void {
    if (this.#stopping) return
    this.#stopping = true
    void this.#working
      .then(() => this.#site?.drain())
      .catch((error: unknown) => report({ kind: 'failed', message: String(error) }))
      .then(() => this.#end())
  }

  /** A worker that cannot do as it was told ends, and is replaced. */
  #do(act: () => Promise<void>): void {
    this.#working = this.#working
      .then(() => (this.#stopping ? undefined : act()))
      .catch(async (error: unknown) => {
        await report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
        this.stop()
      })
  }

  async #serve(setup: SiteSetup, port: number): Promise<void> {
    const site = this.#createSite(setup)
    const address = await site.listen(port, this.#host)
    this.#site = site
    await report({ kind: 'listening', address })
  }

  async #reload({ setup, number, retired, tells }: ReloadOrder): Promise<void> {
    const site = this.#site
    if (site === null) return
    site.reload(unpackSetup(setup).options, { tells })
    await report({ kind: 'reloaded', number })
    void leave(site, retired).then(() => report({ kind: 'left', number }))
  }
}

async function leave(site: Site, addresses: readonly string[]): Promise<void> {
  while (addresses.some((address) => site.uses(address))) await wait(LOOK, undefined, { ref: false })
}

function report(message: WorkerReport): Promise<void> {
  return new Promise((resolve) => {
    // Without a primary nobody listens, and this process is about to end.
    if (!process.connected) return resolve()
    process.send?.(message, undefined, undefined, () => resolve())
  })
}
