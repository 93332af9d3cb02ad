import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ListeningSocket } from './listening-socket.ts'
import { readLines } from './output-lines.ts'
import type { Recipe, SupervisorOrder, SupervisorReport } from './supervisor-messages.ts'

/** What to start and where. */
export interface Supervision {
  readonly recipe: Recipe
  /** Private to the backend; the supervisor removes it when we are gone without a word. */
  readonly directory: string
  /** What the backend inherits; null: it makes its own. */
  readonly socket: ListeningSocket | null
}

/** Who is told what happens to a backend. */
export interface SupervisorListener {
  /** The backend has written a line. */
  line(text: string): void
  ended(ending: SupervisorReport): void
  /** The supervisor itself ended. */
  gone(): void
}

/** Longest wait for a backend's end: its grace and some more; milliseconds. */
const STOP_TIMEOUT = 8_000

/** The gateway's end of the supervisor: starts the process that starts the backend. */
export class Supervisor {
  readonly #child: ChildProcess
  #gone = false

  constructor({ recipe, directory, socket }: Supervision, listener: SupervisorListener) {
    const child = forkSupervisor(socket)
    this.#child = child
    const gone = (): void => {
      if (this.#gone) return
      this.#gone = true
      listener.gone()
    }
    child.on('message', (report: SupervisorReport) => listener.ended(report))
    child.once('exit', gone)
    child.on('error', () => child.pid === undefined && gone())
    for (const output of [child.stdout, child.stderr]) if (output !== null) follow(output, listener)
    // A gateway that is not closed may end all the same: the supervisor notices.
    child.unref()
    child.channel?.unref()
    this.#order({ kind: 'start', recipe, directory })
  }

  /** Resolves when nothing of the backend runs any more. */
  async stop(): Promise<void> {
    if (this.#gone) return
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT)
    this.#child.ref()
    await new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#order({ kind: 'stop' })
    })
    clearTimeout(killer)
  }

  #order(order: SupervisorOrder): void {
    // Where it cannot be told it has ended, and that is heard elsewhere.
    if (this.#child.connected) this.#child.send(order, () => undefined)
  }
}

function forkSupervisor(socket: ListeningSocket | null): ChildProcess {
  const here = fileURLToPath(import.meta.url)
  const isSource = extname(here) === '.ts'
  return fork(fileURLToPath(new URL(`./supervise${extname(here)}`, import.meta.url)), [], {
    stdio: [socket === null ? 'ignore' : socket.descriptor, 'pipe', 'pipe', 'ipc'],
    // A debugger's port and what is loaded into the gateway are not for it; from sources the loader of TypeScript goes along.
    execArgv: isSource ? process.execArgv : [],
    env: isSource ? process.env : { ...process.env, NODE_OPTIONS: undefined },
    // What is done to the gateway's group of processes (Ctrl-C, kill) must leave one to clear up.
    detached: process.platform !== 'win32',
  })
}

function follow(output: Readable, listener: SupervisorListener): void {
  if ('unref' in output && typeof output.unref === 'function') output.unref()
  readLines(output, (line) => listener.line(line))
}
