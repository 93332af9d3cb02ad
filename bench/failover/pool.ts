import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { type PhpFpm, startPhpFpm } from '../../test/support/php-fpm.ts'

/** Milliseconds between two looks at processes. */
const LOOK = 10

/** How a {@link Pool} is made. */
export interface PoolOptions {
  readonly name: string
  /** The path of a unix socket. */
  readonly address: string
  readonly children: number
  /** For the scripts. */
  readonly environment: Readonly<Record<string, string>>
}

/** A php-fpm with a master of its own, to which things happen; its address stays the same. */
export class Pool {
  readonly name: string
  readonly address: string
  readonly #options: PoolOptions
  #fpm: PhpFpm | null = null
  #globalDirectives: readonly string[] = []

  constructor(options: PoolOptions) {
    this.name = options.name
    this.address = options.address
    this.#options = options
  }

  /** Its processes that serve requests now. */
  get children(): readonly number[] {
    return this.#fpm === null ? [] : this.#fpm.processes().filter((pid) => pid !== this.#fpm?.pid)
  }

  /** Resolves when it accepts connections. */
  async start(): Promise<void> {
    const { address, children, environment } = this.#options
    this.#fpm = await startPhpFpm({
      address,
      children,
      poolDirectives: Object.entries(environment).map(([name, value]) => `env[${name}] = ${value}`),
      globalDirectives: this.#globalDirectives,
    })
  }

  /** Starts it again with other lines in `[global]`, unless it has them. */
  async configure(globalDirectives: readonly string[]): Promise<void> {
    if (globalDirectives.join() === this.#globalDirectives.join()) return
    this.#globalDirectives = globalDirectives
    await this.stop('SIGTERM')
    await this.start()
  }

  /** `kill -9` of the master and all children; resolves when they are gone. The socket's file stays, and refuses. */
  async crash(): Promise<void> {
    await this.#fpm?.stop()
    this.#fpm = null
  }

  /** SIGTERM ends it at once, SIGQUIT after the requests under way; resolves when all processes and the socket are gone. */
  async stop(signal: 'SIGTERM' | 'SIGQUIT'): Promise<void> {
    if (this.#fpm === null) return
    process.kill(this.#fpm.pid, signal)
    while (this.#fpm.processes().length > 0) await wait(LOOK)
    if (existsSync(this.address)) throw new Error(`php-fpm has left ${this.address} behind:\n${this.#fpm.log()}`)
    await this.crash()
  }

  /** SIGUSR2: the master starts itself and then its children again; resolves when all of these are others. */
  async reload(): Promise<void> {
    if (this.#fpm === null) throw new Error(`${this.name} does not run`)
    const before = this.children
    process.kill(this.#fpm.pid, 'SIGUSR2')
    for (;;) {
      const now = this.children
      if (now.length >= this.#options.children && !now.some((pid) => before.includes(pid))) return
      if (this.#fpm.processes().length === 0) throw new Error(`php-fpm has ended instead:\n${this.#fpm.log()}`)
      await wait(LOOK)
    }
  }
}
