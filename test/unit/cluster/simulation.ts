import type { Allowance, AllowanceUser } from '../../../lib/backend/allowance.ts'
import { Dealer } from '../../../lib/cluster/dealer.ts'
import { DealerLink } from '../../../lib/cluster/dealer-link.ts'
import type { DealerMessage, WorkerMessage } from '../../../lib/cluster/messages.ts'

/** More messages than anything has to say at once. */
const MANY = 5000

/** As plain a pool as can be: what it does with connections is what the gateway's own must do. */
export class PlainPool implements AllowanceUser {
  readonly keepAlive: boolean
  readonly allowance: Allowance
  busy = 0
  idle = 0
  waiting = 0
  served = 0

  constructor(keepAlive: boolean, create: (user: AllowanceUser) => Allowance) {
    this.keepAlive = keepAlive
    this.allowance = create(this)
  }

  get open(): number {
    return this.busy + this.idle
  }

  arrive(requests = 1): void {
    for (let request = 0; request < requests; request += 1) {
      this.waiting += 1
      this.#admit()
      if (this.waiting > 0) this.allowance.want()
    }
  }

  /** A request ends; false: none was under way. */
  finish(): boolean {
    if (this.busy === 0) return false
    this.served += 1
    this.busy -= 1
    if (this.keepAlive && this.open < this.allowance.limit) this.idle += 1
    else this.allowance.released()
    this.#admit()
    return true
  }

  grown(): void {
    this.#admit()
  }

  shrunk(): void {
    while (this.idle > 0 && this.open > this.allowance.limit) {
      this.idle -= 1
      this.allowance.released()
    }
  }

  #admit(): void {
    while (this.waiting > 0 && (this.idle > 0 || this.open < this.allowance.limit)) {
      if (this.idle > 0) this.idle -= 1
      this.busy += 1
      this.waiting -= 1
    }
  }
}

/** A worker process without the process: its link, its pools, and what is on its way from and to it. */
export class SimulatedWorker {
  readonly id: number
  readonly pools: PlainPool[] = []
  readonly toPrimary: WorkerMessage[] = []
  readonly toWorker: unknown[] = []
  readonly warnings: string[] = []
  readonly listeners: Set<(message: unknown) => void> = new Set()
  readonly link: DealerLink
  connected = true
  /** The primary has said something. */
  hasHeard = false

  constructor(id: number) {
    this.id = id
    const worker = this
    this.link = new DealerLink({
      get connected() {
        return worker.connected
      },
      send: (message) => void worker.toPrimary.push(message),
      listen: (listener) => void worker.listeners.add(listener),
      unlisten: (listener) => void worker.listeners.delete(listener),
    })
  }

  pool(key: string, total: number, keepAlive = false): PlainPool {
    const warn = (message: string): void => void this.warnings.push(message)
    const pool = new PlainPool(keepAlive, (user) => this.link.create({ key, total, user }, warn))
    this.pools.push(pool)
    return pool
  }

  hear(message: unknown): void {
    this.hasHeard = true
    for (const listener of this.listeners) listener(message)
  }
}

/** A dealer and its workers; messages arrive only when {@link step} lets one. */
export class Simulation {
  readonly workers: Map<number, SimulatedWorker> = new Map()
  /** All that was ever sent, for the tests that count. */
  readonly log: (WorkerMessage | DealerMessage)[] = []
  readonly dealer: Dealer = new Dealer({
    send: (id, message) => {
      this.log.push(message)
      this.workers.get(id)?.toWorker.push(message)
    },
    workers: () => this.workers.size,
  })
  #lastId = 0

  fork(count = 1): SimulatedWorker[] {
    return Array.from({ length: count }, () => {
      this.#lastId += 1
      const worker = new SimulatedWorker(this.#lastId)
      this.workers.set(worker.id, worker)
      return worker
    })
  }

  /** Its connections close at once; the primary hears of it now, and reads nothing more of it. */
  kill(worker: SimulatedWorker): void {
    this.#cut(worker)
    this.workers.delete(worker.id)
    this.dealer.bury(worker.id)
  }

  /** Its channel closes, and it works on. */
  disconnect(worker: SimulatedWorker): void {
    for (const message of worker.toPrimary.splice(0)) this.dealer.receive(worker.id, message)
    this.#cut(worker)
    this.dealer.silence(worker.id)
  }

  /** Delivers the first message of one queue. False: there is none. */
  step(worker: SimulatedWorker, direction: 'toPrimary' | 'toWorker'): boolean {
    if (direction === 'toWorker') {
      const message = worker.toWorker.shift()
      if (message !== undefined) worker.hear(message)
      return message !== undefined
    }
    const message = worker.toPrimary.shift()
    if (message === undefined) return false
    this.log.push(message)
    this.dealer.receive(worker.id, message)
    return true
  }

  /** Delivers everything, and what comes of it; fails where that has no end. */
  settle(): void {
    const end = this.log.length + MANY
    for (let moved = true; moved; ) {
      moved = false
      for (const worker of this.workers.values()) {
        while (this.step(worker, 'toPrimary') || this.step(worker, 'toWorker')) {
          moved = true
          if (this.log.length > end) throw new Error('They talk for ever')
        }
      }
    }
  }

  /** Connections that the backend sees. */
  get open(): number {
    let open = 0
    for (const worker of this.workers.values()) for (const pool of worker.pools) open += pool.open
    return open
  }

  #cut(worker: SimulatedWorker): void {
    worker.connected = false
    worker.toPrimary.length = 0
    worker.toWorker.length = 0
  }
}
