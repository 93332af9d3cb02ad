import { randomUUID } from 'node:crypto'
import type { Allowance } from '../backend/allowance.ts'
import { type AllowanceRequest, type DealerChannel, DealtAllowance } from './dealt-allowance.ts'
import { isDealerMessage, type WorkerMessage } from './messages.ts'

/** A worker's end of the channel that Node's cluster gives it: `process`. */
export interface WorkerProcess {
  readonly connected: boolean
  send(message: WorkerMessage): void
  /** Another listener takes all that the primary sends. */
  listen(listener: (message: unknown) => void): void
  unlisten(listener: (message: unknown) => void): void
}

/** Milliseconds that a primary has to answer the first question. */
const PATIENCE = 1000

const NO_DEALER =
  'The primary of this cluster does not deal out maxConnections: this worker uses all of them, and so may each other worker. ' +
  "Mend it with: import 'express-fastcgi' in the primary; or, where the primary is not yours (PM2), the option workers: " +
  'the number of processes, of which each then takes its part.'

/**
 * A worker's way to the dealer, for all its pools. `asking` until the dealer has said anything, then `dealt`; or `alone` when it has said
 * nothing in time. One that says something later, when its primary was busy or imports this package late, is obeyed from then on.
 */
export class DealerLink implements DealerChannel {
  readonly #process: WorkerProcess
  readonly #holders = new Map<string, DealtAllowance>()
  #state: 'asking' | 'dealt' | 'alone' = 'asking'
  #patience: NodeJS.Timeout | null = null
  #warned = false

  constructor(process: WorkerProcess) {
    this.#process = process
  }

  get alone(): boolean {
    return this.#state === 'alone'
  }

  /** `warn` is told once in the life of this process when nobody deals. */
  create(request: AllowanceRequest, warn: (message: string) => void): Allowance {
    if (this.#holders.size === 0) this.#open(warn)
    const id = randomUUID()
    const allowance = new DealtAllowance(request, this, id)
    this.#holders.set(id, allowance)
    if (this.alone) allowance.useWhole()
    else allowance.join(id)
    return allowance
  }

  send(message: WorkerMessage): void {
    // A worker that was told to disconnect ends soon; until then it keeps what it has.
    if (this.#process.connected) this.#process.send(message)
  }

  forget(id: string): void {
    this.#holders.delete(id)
    if (this.#holders.size > 0) return
    this.#endPatience()
    this.#process.unlisten(this.#receive)
  }

  #open(warn: (message: string) => void): void {
    this.#process.listen(this.#receive)
    if (!this.#process.connected) this.#state = 'alone'
    else if (this.#state !== 'dealt') {
      this.#state = 'asking'
      this.#patience = setTimeout(() => this.#goAlone(warn), PATIENCE).unref()
    }
  }

  readonly #receive = (message: unknown): void => {
    if (!isDealerMessage(message)) return
    this.#endPatience()
    const before = this.#state
    this.#state = 'dealt'
    if (before === 'alone') return this.#joinAnew()
    if (message.type !== 'express-fastcgi:deal') return this.#holders.get(message.holder)?.receive(message)
    for (const [id, allowance] of this.#holders) if (!allowance.isWelcome) allowance.join(id)
  }

  /** What the dealer may have granted to those that went on alone in the meantime is void: hence new ids. */
  #joinAnew(): void {
    for (const [id, allowance] of [...this.#holders]) {
      this.send({ type: 'express-fastcgi:leave', holder: id })
      this.#holders.delete(id)
      const other = randomUUID()
      this.#holders.set(other, allowance)
      allowance.join(other)
    }
  }

  #goAlone(warn: (message: string) => void): void {
    this.#state = 'alone'
    if (this.#process.connected && !this.#warned) {
      this.#warned = true
      warn(NO_DEALER)
    }
    for (const allowance of this.#holders.values()) allowance.goAlone()
  }

  #endPatience(): void {
    if (this.#patience !== null) clearTimeout(this.#patience)
    this.#patience = null
  }
}
