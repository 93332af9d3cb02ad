import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastCgiOptions } from '../lib/index.ts'

/** How a gateway is set up. */
export interface GatewaySetup {
  readonly host: 'node' | 'express' | 'http2'
  /** With Express: where it is mounted; empty: at the root. */
  readonly mount: string
  /** With Express: express.static over this folder stands behind it. */
  readonly staticRoot: string | null
  readonly options: FastCgiOptions
}

/** What a gateway's process says of itself. */
export interface Vitals {
  /** 0 where the system does not tell. */
  /** What each is of. */
  readonly descriptors: readonly string[]
  /** Connections of clients. */
  readonly clients: number
  /** On `process`. */
  readonly listeners: number
  /** Bytes, after a collection of garbage. */
  readonly heap: number
  readonly rss: number
  /** Connections to backends. */
  readonly open: number
  readonly busy: number
  readonly waiting: number
  /** Errors that reached the host's error handler. */
  readonly intercepted: number
  /** Rejections that nobody handled, warnings, failures with 500. */
  readonly noise: readonly string[]
}

/** Milliseconds in which what a request held must be let go of; more than any timeout of a gateway here. */
const SETTLING = 15_000

/** How much more than at first a gateway may hold. */
const MOST_GROWTH = 48 * 2 ** 20

/** A gateway in a process of its own. */
export class GatewayProcess {
  readonly port: number
  readonly #child: ChildProcess
  readonly #output: { text: string }
  #baseline: Vitals | null = null

  private constructor(child: ChildProcess, output: { text: string }, port: number) {
    this.#child = child
    this.#output = output
    this.port = port
  }

  static async start(setup: GatewaySetup): Promise<GatewayProcess> {
    const script = fileURLToPath(new URL('gateway.ts', import.meta.url))
    const child = fork(script, [JSON.stringify(setup)], {
      execArgv: ['--import', 'tsx', '--expose-gc'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Ctrl-C is for the parent, which ends it in order.
      detached: true,
    })
    const output = { text: '' }
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output.text = (output.text + text).slice(-20_000)
      })
    }
    const ended = once(child, 'exit').then(() =>
      Promise.reject(new Error(`the gateway did not start:\n${output.text}`)),
    )
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }]
    ended.catch(() => undefined)
    return new GatewayProcess(child, output, message.port)
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What is wrong with it, once it had time to let go of what requests held; null: nothing. */
  async problem(): Promise<string | null> {
    const end = Date.now() + SETTLING
    const noise: string[] = []
    for (;;) {
      const vitals = await this.#vitals()
      if (vitals === null) return `the gateway's process has ended:\n${this.#output.text}`
      noise.push(...vitals.noise)
      if (noise.length > 0) return noise.join('\n')
      this.#baseline ??= vitals
      const held = whatIsHeld(vitals, this.#baseline)
      if (held === null) return null
      if (Date.now() > end) return held
      await wait(50)
    }
  }

  async stop(): Promise<void> {
    if (!this.alive) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  async #vitals(): Promise<Vitals | null> {
    if (!this.alive) return null
    const answered = new AbortController()
    const { signal } = answered
    this.#child.send('vitals', () => undefined)
    try {
      return await Promise.race([
        once(this.#child, 'message', { signal }).then(([vitals]) => vitals as Vitals),
        once(this.#child, 'exit', { signal }).then(() => null),
        wait(SETTLING, null, { signal }),
      ])
    } finally {
      answered.abort()
    }
  }
}

function whatIsHeld(now: Vitals, first: Vitals): string | null {
  if (now.busy > 0) return `${now.busy} connections are busy although nobody asks`
  if (now.waiting > 0) return `${now.waiting} requests wait although nobody asks`
  const descriptors = now.descriptors.length - now.open - (first.descriptors.length - first.open)
  if (descriptors > 0) {
    const others = now.descriptors.filter((target) => !first.descriptors.includes(target))
    return `${descriptors} descriptors more than at first are open, beside ${now.open} connections to backends and ${now.clients} of clients: ${others.join(', ')}`
  }
  if (now.listeners > first.listeners) return `${now.listeners - first.listeners} listeners more than at first`
  const growth = now.heap - first.heap
  if (growth > MOST_GROWTH) return `the heap has grown by ${Math.round(growth / 2 ** 20)} MiB`
  return null
}
