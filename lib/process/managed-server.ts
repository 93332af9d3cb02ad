import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseAddress } from '../client/address.ts'
import { FastCgiError } from '../errors.ts'
import { killOrphans } from './ledger.ts'
import { accepts, freePort, listenForOthers } from './listening-socket.ts'
import { RepeatedMessages } from './php-messages.ts'
import { createDirectory, privatePath, reapDirectories, removeDirectory } from './private-directory.ts'
import { type CheckedCommand, checkCommand, createRecipe, type Transport } from './recipe.ts'
import { type Supervision, Supervisor } from './supervisor.ts'
import type { Recipe, SupervisorReport } from './supervisor-messages.ts'

/** Where the backend's own words and our news of it go. */
export interface ProcessLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** A backend that we start ourselves. */
export interface ManagedServerOptions {
  /** The server's name in the configuration. */
  readonly name: string
  readonly command: readonly string[]
  /** Nothing given: what suits the program and the machine. */
  readonly processes?: number | null | undefined
  /** The document root of its location, if there is one. */
  readonly root: string | null
  readonly log: ProcessLog | null
  /** Default: a file descriptor, but on Windows a port. */
  readonly transport?: Transport
}

/** Longest wait for a backend's first accept, where it makes the socket itself; milliseconds. */
const START_TIMEOUT = 10_000

/** Milliseconds between two looks whether it accepts. */
const START_POLL = 10

/** After so long it is known that the backend and its supervisor can run; milliseconds. */
const RAN_WELL = 2_000

/** Lines of a backend's output that are kept to explain why it does not run. */
const LAST_LINES = 5

/** Processes that may die early one after the other without an answer in between; times the number of processes. */
const MOST_EARLY_DEATHS = 6

/** After a crash loop requests fail at once; the first one after so long starts the backend again; milliseconds. */
const REST = 30_000

/**
 * One backend as processes of ours: started with the first request, watched by a supervisor, stopped with the gateway.
 * Nothing of it outlives us: the supervisor ends it when we are gone, and the next start removes what we left on disk.
 */
export class ManagedServer {
  readonly #options: ManagedServerOptions
  readonly #command: CheckedCommand
  readonly #transport: Transport
  readonly #directory: string = privatePath()
  #address: string
  #supervisor: Supervisor | null = null
  #starting: Promise<void> | null = null
  #running = false
  #runningSince = 0
  #clearing: Promise<void> = Promise.resolve()
  #failure: FastCgiError | null = null
  #failedAt = 0
  #stopped: Promise<void> | null = null
  #lastLines: string[] = []
  readonly #repeated: RepeatedMessages = new RepeatedMessages()
  #earlyDeaths = 0
  #answered = false

  /** Touches nothing on disk. @throws OptionError when there is no such program */
  constructor(options: ManagedServerOptions) {
    this.#options = options
    this.#transport = options.transport ?? (process.platform === 'win32' ? 'tcp' : 'descriptor')
    this.#command = checkCommand(options.command, this.#transport)
    this.#address = join(this.#directory, 'backend.sock')
    if (this.#transport === 'descriptor') parseAddress(this.#address)
  }

  /** Where it listens: a unix socket in a private directory, or a port of the loopback interface. Valid once it was started. */
  get address(): string {
    return this.#address
  }

  /** Requests may be sent; if not, {@link start} must be awaited first. */
  get running(): boolean {
    return this.#running
  }

  /** Resolves when it takes connections. @throws FastCgiError ERR_FCGI_CONNECT with its last words, ERR_FCGI_CLOSED */
  start(): Promise<void> {
    if (this.#stopped !== null) return Promise.reject(new FastCgiError('ERR_FCGI_CLOSED'))
    if (this.#failure !== null && performance.now() - this.#failedAt < REST) return Promise.reject(this.#failure)
    this.#starting ??= this.#launch().finally(() => {
      this.#starting = null
    })
    return this.#starting
  }

  /** A request got its answer: the program can run, whatever becomes of its processes. */
  noteAnswer(): void {
    this.#answered = true
    this.#earlyDeaths = 0
  }

  /** Ends the processes and removes what they left; nothing starts after it. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined) // whoever started it is told
    this.#clear()
    await this.#clearing
  }

  async #launch(): Promise<void> {
    await this.#clearing
    this.#failure = null
    this.#earlyDeaths = 0
    this.#answered = false
    this.#lastLines = []
    const { name, log } = this.#options
    const recipe = await this.#prepare()
    if (recipe.socket === null) await this.#waitUntilItAccepts()
    this.#running = this.#supervisor !== null
    this.#runningSince = performance.now()
    log?.info(`${name}: started ${describe(this.#command)}, listening on ${this.#address}`)
  }

  async #prepare(): Promise<Recipe> {
    const { processes = null, root } = this.#options
    const directory = this.#directory
    try {
      await reapDirectories()
      createDirectory(directory)
      if (this.#transport === 'tcp') this.#address = `127.0.0.1:${await freePort()}`
      const recipe = createRecipe(this.#command, { processes, root, directory, address: parseAddress(this.#address) })
      const socket = recipe.socket === null ? null : await listenForOthers(this.#address)
      try {
        this.#supervise({ recipe, directory, socket })
      } finally {
        socket?.close()
      }
      return recipe
    } catch (error) {
      throw this.#fail(error instanceof Error ? error.message : String(error), error)
    }
  }

  #supervise(supervision: Supervision): void {
    const ifCurrent = (act: () => void): void => {
      if (this.#supervisor === supervisor && this.#stopped === null) act()
    }
    const supervisor: Supervisor = new Supervisor(supervision, {
      line: (text) => this.#noteLine(text),
      ended: (ending) => ifCurrent(() => this.#noteEnding(ending, supervision.recipe)),
      gone: () => ifCurrent(() => this.#noteSupervisorGone()),
    })
    this.#supervisor = supervisor
  }

  #noteLine(text: string): void {
    if (this.#command.kind === 'php-fpm' && this.#repeated.includes(text)) return
    this.#lastLines = [...this.#lastLines, text].slice(-LAST_LINES)
    this.#options.log?.warn(`${this.#options.name}: ${text}`)
  }

  #noteEnding({ how, voluntary, early, pause }: SupervisorReport, { count }: Recipe): void {
    const { name, log } = this.#options
    this.#earlyDeaths = early ? this.#earlyDeaths + 1 : 0
    if (this.#earlyDeaths >= MOST_EARLY_DEATHS * count) this.#fail(`it ended again and again (${how})`)
    // One that never ran is told of once, when it is given up.
    else if (!voluntary && (this.#answered || !early)) {
      log?.warn(`${name}: the backend ended (${how}) and is started again in ${pause} ms`)
    }
  }

  #noteSupervisorGone(): void {
    const ran = this.#running && performance.now() - this.#runningSince >= RAN_WELL
    this.#options.log?.warn(`${this.#options.name}: the supervisor of the backend was killed; both are started again`)
    this.#clear()
    // Else with the next request, so that what cannot run is not tried for ever.
    if (ran) this.start().catch(() => undefined) // it is in the log, and told to the next request
  }

  #fail(what: string, cause?: unknown): FastCgiError {
    const words = this.#lastLines.length === 0 ? '' : `; its last words: ${this.#lastLines.join(' | ')}`
    const detail = `The backend, ${describe(this.#command)}, is not running: ${what}${words}; it is tried again in ${REST / 1000} s`
    const failure = new FastCgiError('ERR_FCGI_CONNECT', { detail, cause })
    this.#failure = failure
    this.#failedAt = performance.now()
    this.#options.log?.error(`${this.#options.name}: ${detail}`)
    this.#clear()
    return failure
  }

  /** Ends what runs and removes what is on disk, after what is being cleared already. */
  #clear(): void {
    const supervisor = this.#supervisor
    this.#supervisor = null
    this.#running = false
    this.#clearing = this.#clearing.then(async () => {
      try {
        await supervisor?.stop()
        await killOrphans(this.#directory)
        removeDirectory(this.#directory)
      } catch (error) {
        this.#options.log?.warn(`${this.#options.name}: ${this.#directory} could not be removed: ${String(error)}`)
      }
    })
  }

  async #waitUntilItAccepts(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT
    while (!(await accepts(this.#address, START_TIMEOUT))) {
      if (this.#supervisor === null) throw this.#failure ?? this.#fail('its supervisor was killed')
      if (performance.now() > deadline) throw this.#fail(`it does not accept connections after ${START_TIMEOUT} ms`)
      await wait(START_POLL)
    }
  }
}

function describe({ kind, program }: CheckedCommand): string {
  return kind === 'embedded' ? 'the embedded PHP' : program
}
