import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FastCgiOptions } from '../../lib/index.ts'
import { eventually } from './eventually.ts'

/** A worker of a {@link ClusterProcess}, with a gateway behind a port of its own. */
export interface ClusterWorker {
  readonly id: number
  readonly pid: number
  readonly url: string
}

/** A primary and its workers, in processes of their own. */
export interface ClusterProcess {
  readonly workers: readonly ClusterWorker[]
  /** What the workers' logs were warned of. */
  readonly warnings: readonly string[]
  fork(): Promise<ClusterWorker>
  /** SIGKILL; resolves when the primary knows. */
  kill(worker: ClusterWorker): Promise<void>
  /** `worker.disconnect()` in the primary. */
  disconnect(worker: ClusterWorker): void
  hasEnded(worker: ClusterWorker): boolean
  reload(worker: ClusterWorker, gateway: FastCgiOptions): void
  /** The primary imports the package now. */
  deal(): void
  /** Messages of the package that workers have sent to the primary. */
  heard(): Promise<number>
  stop(): Promise<void>
}

/** What the primary tells. */
type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly worker: number; readonly port: number; readonly pid: number }
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'exit'; readonly worker: number }
  | { readonly kind: 'heard'; readonly heard: number }

/** Starts a primary, which imports the package unless `deals` is false, and so many workers. */
export async function startCluster(
  gateway: FastCgiOptions,
  { workers = 0, deals = true }: { readonly workers?: number; readonly deals?: boolean } = {},
): Promise<ClusterProcess> {
  const script = fileURLToPath(new URL('../fixtures/cluster/primary.ts', import.meta.url))
  const child = fork(script, [JSON.stringify({ deals, gateway })], { execArgv: ['--import', 'tsx'] })
  const started = new DirectedCluster(child)
  await once(child, 'message')
  await Promise.all(Array.from({ length: workers }, () => started.fork()))
  return started
}

class DirectedCluster implements ClusterProcess {
  readonly workers: ClusterWorker[] = []
  readonly warnings: string[] = []
  readonly #child: ChildProcess
  readonly #ended = new Set<number>()
  readonly #heard: number[] = []
  readonly #starting = new Map<number, { resolve(worker: ClusterWorker): void; reject(error: Error): void }>()
  #forked = 0

  constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (report: Report) => this.#take(report))
  }

  fork(): Promise<ClusterWorker> {
    this.#forked += 1
    const id = this.#forked
    return new Promise((resolve, reject) => {
      this.#starting.set(id, { resolve, reject })
      this.#child.send({ kind: 'fork' })
    })
  }

  async kill(worker: ClusterWorker): Promise<void> {
    process.kill(worker.pid, 'SIGKILL')
    await eventually('the primary knows', () => this.hasEnded(worker))
  }

  disconnect({ id }: ClusterWorker): void {
    this.#child.send({ kind: 'disconnect', worker: id })
  }

  hasEnded({ id }: ClusterWorker): boolean {
    return this.#ended.has(id)
  }

  reload({ id }: ClusterWorker, gateway: FastCgiOptions): void {
    this.#child.send({ kind: 'order', worker: id, order: { kind: 'reload', gateway } })
  }

  deal(): void {
    this.#child.send({ kind: 'deal' })
  }

  async heard(): Promise<number> {
    this.#heard.length = 0
    this.#child.send({ kind: 'heard' })
    await eventually('the primary answers', () => this.#heard.length > 0)
    return this.#heard[0] ?? 0
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
    // Those that have lost their channel do not see that their primary has ended.
    for (const worker of this.workers) if (!this.hasEnded(worker)) killIfRunning(worker.pid)
  }

  #take(report: Report): void {
    switch (report.kind) {
      case 'warning':
        return void this.warnings.push(report.text)
      case 'heard':
        return void this.#heard.push(report.heard)
      case 'exit':
        this.#ended.add(report.worker)
        return this.#starting.get(report.worker)?.reject(new Error(`Worker ${report.worker} ended`))
      case 'listening': {
        const worker = { id: report.worker, pid: report.pid, url: `http://127.0.0.1:${report.port}` }
        this.workers.push(worker)
        return this.#starting.get(report.worker)?.resolve(worker)
      }
    }
  }
}

function killIfRunning(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
