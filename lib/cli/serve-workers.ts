import cluster, { type Worker } from 'node:cluster'
import { type AddressInfo, createServer } from 'node:net'
import type { Logger } from '../index.ts'
import type { BackendFacts } from './serve-backend.ts'
import { type ListenPlace, listenOn } from './serve-listen.ts'
import { ignoreTerminal } from './serve-signals.ts'
import type { Site } from './serve-site.ts'

/** What the primary starts workers with. */
export interface WorkerPoolOptions {
  readonly backend: BackendFacts
  readonly log: Logger
  readonly count: number
  readonly place: ListenPlace
}

/** What a worker tells the primary. */
type WorkerReport =
  | { readonly kind: 'listening'; readonly address: AddressInfo }
  | { readonly kind: 'failed'; readonly message: string }

/** What the primary tells a worker. */
interface WorkerOrder {
  readonly kind: 'stop'
}

/** What a worker has to know. */
interface WorkerFacts {
  readonly backend: BackendFacts
  readonly port: number
}

/** In a worker's environment: its {@link WorkerFacts}, as JSON. */
const FACTS_VARIABLE = 'EXPRESS_FASTCGI_SERVE_WORKER'

/** A worker that lived this long had started well; milliseconds. */
const STARTED_WELL = 2_000

/** Pauses before a worker that died young is replaced, milliseconds; the last is for all others. */
const PAUSES: readonly number[] = [100, 200, 500, 1_000, 2_000, 5_000]

/** The workers of a cluster that serve one site, replaced when they die. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #workers = new Set<Worker>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #listening = 0
  #youngDeaths = 0
  #stopping = false
  #started: ((address: AddressInfo) => void) | null = null
  #failed: ((error: Error) => void) | null = null

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  /** Resolves when all of them listen, with where. @throws Error when one cannot */
  async start(): Promise<AddressInfo> {
    const { backend, count, place } = this.#options
    const facts: WorkerFacts = { backend, port: await findPort(place) }
    process.env[FACTS_VARIABLE] = JSON.stringify(facts)
    return await new Promise((resolve, reject) => {
      this.#started = resolve
      this.#failed = reject
      for (let forked = 0; forked < count; forked += 1) this.#fork()
    })
  }

  /** Lets every worker finish its requests; resolves when the last has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers) clearTimeout(timer)
    const ended = [...this.#workers].map(
      (worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())),
    )
    for (const worker of this.#workers) tellToStop(worker)
    await Promise.all(ended)
  }

  #fork(): void {
    const worker = cluster.fork()
    const began = performance.now()
    this.#workers.add(worker)
    worker.on('message', (report: WorkerReport) => this.#onReport(worker, report))
    worker.once('exit', (code, signal) => {
      this.#workers.delete(worker)
      if (!this.#stopping) this.#replace(worker, signal ?? `exit code ${code}`, performance.now() - began)
    })
  }

  #onReport(worker: Worker, report: WorkerReport): void {
    // It did not listen to us before.
    if (this.#stopping) tellToStop(worker)
    if (report.kind === 'failed') {
      // Before all listen the whole start has failed; later on it is tried again.
      if (this.#failed === null) return this.#options.log.error(report.message)
      this.#stopping = true
      return this.#failed(new Error(report.message))
    }
    this.#listening += 1
    if (this.#listening < this.#options.count) return
    this.#started?.(report.address)
    this.#failed = null
  }

  #replace(worker: Worker, ending: string, age: number): void {
    this.#youngDeaths = age < STARTED_WELL ? this.#youngDeaths + 1 : 0
    const pause = this.#youngDeaths === 0 ? 0 : (PAUSES[this.#youngDeaths - 1] ?? PAUSES.at(-1) ?? 0)
    this.#options.log.warn(`Worker ${worker.process.pid} ended (${ending}) and is replaced in ${pause} ms`)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#fork()
    }, pause)
    this.#timers.add(timer)
  }
}

function tellToStop(worker: Worker): void {
  const order: WorkerOrder = { kind: 'stop' }
  // One that ends in this moment takes no message, and needs none.
  if (worker.isConnected()) worker.send(order, () => undefined)
}

/** The port, free now: a worker that replaces others has to listen on the same, whatever has become of them. */
async function findPort(place: ListenPlace): Promise<number> {
  const server = createServer()
  const { port } = await listenOn(server, place)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The life of a worker: serves until the primary or SIGTERM says stop. Resolves with the exit code. */
export async function runWorker(createSite: (backend: BackendFacts) => Site, host: string): Promise<number> {
  const { backend, port } = JSON.parse(process.env[FACTS_VARIABLE] ?? '') as WorkerFacts
  ignoreTerminal()
  const stopped = new Promise<void>((resolve) => {
    process.on('message', ({ kind }: WorkerOrder) => (kind === 'stop' ? resolve() : undefined))
    process.once('SIGTERM', () => resolve())
  })
  try {
    const site = createSite(backend)
    await report({ kind: 'listening', address: await site.listen(port, host) })
    await stopped
    await site.drain()
  } catch (error) {
    await report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
  cluster.worker?.disconnect()
  return 0
}

function report(message: WorkerReport): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()))
}
