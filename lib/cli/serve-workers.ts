import cluster, { type Worker } from 'node:cluster'
import { type AddressInfo, createServer } from 'node:net'
import type { Logger } from '../index.ts'
import { type ListenPlace, listenOn } from './serve-listen.ts'
import type { SiteSetup } from './serve-setup.ts'
import { packSetup, type ReloadStage, type WorkerOrder, type WorkerReport } from './serve-worker-messages.ts'

/** What the primary starts workers with. */
export interface WorkerPoolOptions {
  readonly setup: SiteSetup
  readonly log: Logger
  readonly count: number
  readonly place: ListenPlace
}

/** A worker that lived this long had started well; milliseconds. */
const STARTED_WELL = 2_000

/** Pauses before a worker that died young is replaced, milliseconds; the last is for all others. */
const PAUSES: readonly number[] = [100, 200, 500, 1_000, 2_000, 5_000]

/** What is waited for: that these workers come so far with a reload, or end. */
interface Expectation {
  readonly stage: ReloadStage
  readonly number: number
  readonly workers: Set<Worker>
  readonly met: () => void
}

/** The workers of a cluster that serve one site, replaced when they die. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #workers = new Set<Worker>()
  /** Those that have been told what to serve. */
  readonly #serving = new Set<Worker>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #expectations = new Set<Expectation>()
  /** What serves, also those that are started later. */
  #setup: SiteSetup
  #port = 0
  #reloads = 0
  #listening = 0
  #youngDeaths = 0
  #stopping = false
  #started: ((address: AddressInfo) => void) | null = null
  #failed: ((error: Error) => void) | null = null

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#setup = options.setup
  }

  /** Resolves when all of them listen, with where. @throws Error when one cannot */
  async start(): Promise<AddressInfo> {
    const { count, place } = this.#options
    this.#port = await findPort(place)
    return await new Promise((resolve, reject) => {
      this.#started = resolve
      this.#failed = reject
      for (let forked = 0; forked < count; forked += 1) this.#fork()
    })
  }

  /**
   * Has every worker serve with another configuration, also those to come. Resolves when all do, with a promise that resolves when
   * nobody uses the `retired` addresses any more.
   */
  async reload(setup: SiteSetup, retired: readonly string[]): Promise<{ readonly left: Promise<void> }> {
    this.#setup = setup
    this.#reloads += 1
    const number = this.#reloads
    const packed = packSetup(setup)
    const reloaded = this.#expect('reloaded', number)
    const left = this.#expect('left', number)
    let tells = true
    for (const worker of this.#serving) {
      send(worker, { kind: 'reload', setup: packed, number, retired, tells })
      tells = false
    }
    await reloaded
    return { left }
  }

  /** Lets every worker finish its requests; resolves when the last has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers) clearTimeout(timer)
    const ended = [...this.#workers].map(
      (worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())),
    )
    for (const worker of this.#workers) send(worker, { kind: 'stop' })
    await Promise.all(ended)
  }

  #fork(): void {
    const worker = cluster.fork()
    const began = performance.now()
    this.#workers.add(worker)
    worker.on('message', (report: WorkerReport) => this.#onReport(worker, report))
    worker.once('exit', (code, signal) => {
      this.#workers.delete(worker)
      this.#serving.delete(worker)
      for (const expectation of this.#expectations) this.#meet(expectation, worker)
      if (!this.#stopping) this.#replace(worker, signal ?? `exit code ${code}`, performance.now() - began)
    })
  }

  #onReport(worker: Worker, report: WorkerReport): void {
    switch (report.kind) {
      case 'ready':
        return this.#put(worker)
      case 'listening':
        return this.#onListening(report.address)
      case 'failed':
        return this.#onFailed(report.message)
      case 'reloaded':
      case 'left':
        for (const expectation of this.#expectations) {
          const { stage, number } = expectation
          if (stage === report.kind && number === report.number) this.#meet(expectation, worker)
        }
        return
      default:
        // Other rooms of the package use the channel, too.
        return undefined
    }
  }

  /** It hears orders from now on. */
  #put(worker: Worker): void {
    if (this.#stopping) return send(worker, { kind: 'stop' })
    this.#serving.add(worker)
    send(worker, { kind: 'serve', setup: packSetup(this.#setup), port: this.#port })
  }

  #onListening(address: AddressInfo): void {
    this.#listening += 1
    if (this.#listening < this.#options.count) return
    this.#started?.(address)
    this.#failed = null
  }

  /** Before all listen the whole start has failed; later on it is tried again. */
  #onFailed(message: string): void {
    if (this.#failed === null) return this.#options.log.error(message)
    this.#stopping = true
    this.#failed(new Error(message))
  }

  #expect(stage: ReloadStage, number: number): Promise<void> {
    const workers = new Set(this.#serving)
    if (workers.size === 0) return Promise.resolve()
    return new Promise((met) => this.#expectations.add({ stage, number, workers, met }))
  }

  #meet(expectation: Expectation, worker: Worker): void {
    const { workers, met } = expectation
    workers.delete(worker)
    if (workers.size > 0) return
    this.#expectations.delete(expectation)
    met()
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

function send(worker: Worker, order: WorkerOrder): void {
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
