import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { killGroup } from './process-group.ts'

/** A program to keep running. */
export interface SupervisedCommand {
  readonly program: string
  readonly parameters: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Who it runs as; null: whoever we are. */
  readonly user: { readonly uid: number; readonly gid: number } | null
  readonly stdio: StdioOptions
}

/** How a process ended. */
export interface Ending {
  /** For the log: `exit code 1`, `SIGSEGV`, why it could not be started. */
  readonly how: string
  /** With exit code 0, as php-cgi after PHP_FCGI_MAX_REQUESTS. */
  readonly voluntary: boolean
  /** So soon after its start that it may not be able to run at all. */
  readonly early: boolean
  /** Milliseconds until it is started again. */
  readonly pause: number
}

/** Who is told of a process. */
export interface ProcessListener {
  started(pid: number): void
  ended(pid: number | undefined, ending: Ending): void
}

/** A process that lived this long had started well; milliseconds. */
const STARTED_WELL = 2_000

/** Pauses before the next start of a process that dies early, the last for every further one; milliseconds. */
const PAUSES: readonly number[] = [10, 50, 100, 200, 400, 800, 1_600]

/** One that ends before it can have served a request, and says that all is well, has not; milliseconds. */
const SHORTEST_LIFE = 50

/** Milliseconds from the polite signal to SIGKILL. */
const GRACE = 5_000

/**
 * Keeps one process running. One that ends after a good while, or of its own will, is started again at once; one that dies early
 * after longer and longer pauses. When to give up is not decided here.
 */
export class SupervisedProcess {
  readonly #command: SupervisedCommand
  readonly #listener: ProcessListener
  #child: ChildProcess | null = null
  #timer: NodeJS.Timeout | null = null
  #earlyDeaths = 0
  #stopping = false

  constructor(command: SupervisedCommand, listener: ProcessListener) {
    this.#command = command
    this.#listener = listener
  }

  start(): void {
    const { program, parameters, environment, user, stdio } = this.#command
    const began = performance.now()
    const child = spawn(program, parameters, {
      env: environment,
      stdio,
      ...user,
      // A group of its own: what the program itself starts is stopped with it, and a terminal's Ctrl-C does not reach it.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.#child = child
    const end = (how: string, voluntary: boolean): void => {
      if (this.#child !== child) return
      this.#child = null
      this.#end(child.pid, { how, voluntary, age: performance.now() - began })
    }
    child.once('error', (error) => end(error.message, false))
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`, code === 0))
    if (child.pid !== undefined) this.#listener.started(child.pid)
  }

  /** Ends the process and what it started: politely, then not. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#stopping = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const child = this.#child
    const pid = child?.pid
    if (child === null || pid === undefined) return
    const killer = setTimeout(() => killGroup(pid, 'SIGKILL'), GRACE)
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.kill(signal)
    })
    clearTimeout(killer)
  }

  /** At once, without waiting: our own end is near. */
  kill(): void {
    this.#stopping = true
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL')
  }

  #end(pid: number | undefined, { how, voluntary, age }: { how: string; voluntary: boolean; age: number }): void {
    // What it had started would serve on without it, and nobody would stop it.
    if (pid !== undefined) killGroup(pid, 'SIGKILL')
    const early = age < (voluntary ? SHORTEST_LIFE : STARTED_WELL)
    this.#earlyDeaths = early ? this.#earlyDeaths + 1 : 0
    const pause = early ? (PAUSES[Math.min(voluntary ? 1 : this.#earlyDeaths, PAUSES.length) - 1] ?? 0) : 0
    const ending = { how, voluntary, early, pause }
    this.#listener.ended(pid, ending)
    if (!this.#stopping) this.#timer = setTimeout(() => this.start(), ending.pause)
  }
}
