import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'

/** A program to keep running. */
export interface SupervisedCommand {
  readonly program: string
  readonly parameters: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stdio: StdioOptions
}

/** What a supervisor is told of a process. */
export interface ProcessListener {
  /** It ended and is started again in so many milliseconds. */
  restarting(ending: string, pause: number): void
  /** It ends again and again: no more attempts. */
  gaveUp(ending: string): void
}

/** A process that lived this long had started well; milliseconds. */
const STARTED_WELL = 2_000

/** Pauses before the next start, milliseconds; beyond the last there is none. */
const PAUSES: readonly number[] = [10, 50, 100, 200, 400, 800, 1_600, 3_000]

/** Milliseconds from SIGTERM to SIGKILL. */
const GRACE = 5_000

/**
 * Keeps one process running. One that ends after a good while, or of its own will with exit code 0 (php-cgi after
 * PHP_FCGI_MAX_REQUESTS), is started again at once; one that dies young, after longer and longer pauses, until it is given up.
 */
export class SupervisedProcess {
  readonly #command: SupervisedCommand
  readonly #listener: ProcessListener
  #child: ChildProcess | null = null
  #timer: NodeJS.Timeout | null = null
  #youngDeaths = 0
  #stopping = false

  constructor(command: SupervisedCommand, listener: ProcessListener) {
    this.#command = command
    this.#listener = listener
  }

  start(): void {
    const { program, parameters, environment, stdio } = this.#command
    const began = performance.now()
    // A group of its own: what the program itself starts is stopped with it.
    const child = spawn(program, parameters, { env: environment, stdio, detached: process.platform !== 'win32' })
    this.#child = child
    let ended = false
    const end = (ending: string, voluntary: boolean): void => {
      if (ended) return
      ended = true
      this.#child = null
      this.#killGroup(child, 'SIGKILL')
      if (!this.#stopping) this.#restart(ending, voluntary, performance.now() - began)
    }
    child.once('error', (error) => end(error.message, false))
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`, code === 0))
  }

  /** Ends the process and what it started: politely, then not. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#stopping = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const child = this.#child
    if (child === null) return
    const killer = setTimeout(() => this.#killGroup(child, 'SIGKILL'), GRACE)
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.kill(signal)
    })
    clearTimeout(killer)
    this.#killGroup(child, 'SIGKILL')
  }

  /** At once, without waiting: our own end is near. */
  kill(): void {
    this.#stopping = true
    if (this.#child !== null) this.#killGroup(this.#child, 'SIGKILL')
  }

  #restart(ending: string, voluntary: boolean, age: number): void {
    this.#youngDeaths = voluntary || age >= STARTED_WELL ? 0 : this.#youngDeaths + 1
    // A program that ends at once and says that all is well must not keep a core busy.
    const pause = this.#youngDeaths === 0 ? (age < 50 ? (PAUSES[0] ?? 0) : 0) : PAUSES[this.#youngDeaths - 1]
    if (pause === undefined) return this.#listener.gaveUp(ending)
    if (!voluntary) this.#listener.restarting(ending, pause)
    this.#timer = setTimeout(() => this.start(), pause)
  }

  #killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.pid === undefined) return
    try {
      process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal)
    } catch (error) {
      // ESRCH: nobody of the group is left, as it should be.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}
