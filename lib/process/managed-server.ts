import { type ChildProcess, fork } from 'node:child_process'
import { renameSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '../client/address.ts'
import { openSocket } from '../client/socket.ts'
import { FastCgiError } from '../errors.ts'
import { createPrivateDirectory, removeDirectory } from './private-directory.ts'
import { createRecipe, type Recipe } from './recipe.ts'
import type { SupervisorOrder, SupervisorReport } from './supervisor-messages.ts'

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
  readonly command: readonly [program: string, ...parameters: string[]]
  readonly processes: number | undefined
  /** The document root of its location, if there is one. */
  readonly root: string | null
  readonly log: ProcessLog | null
}

/** Longest wait for a backend's first accept; milliseconds. */
const START_TIMEOUT = 10_000

/** Milliseconds between two looks whether it accepts. */
const START_POLL = 10

/** Lines of a backend's output that are kept to explain why it does not start. */
const LAST_LINES = 5

/**
 * One backend as processes of ours: started with the first request, watched by a supervisor, stopped with the gateway.
 * Nothing of it outlives us: the supervisor ends it when we are gone, and the next start removes what we left on disk.
 */
export class ManagedServer {
  /** Where it will listen: a unix socket in a private directory. */
  readonly address: string
  readonly #options: ManagedServerOptions
  readonly #directory: string
  readonly #recipe: Recipe
  readonly #lastLines: string[] = []
  #supervisor: ChildProcess | null = null
  #started: Promise<void> | null = null
  #failure: FastCgiError | null = null
  #stopping = false

  /** @throws OptionError when there is no such program */
  constructor(options: ManagedServerOptions) {
    this.#options = options
    this.#directory = createPrivateDirectory()
    this.address = join(this.#directory, 'backend.sock')
    try {
      this.#recipe = createRecipe({ ...options, directory: this.#directory, socket: this.address })
    } catch (error) {
      removeDirectory(this.#directory)
      throw error
    }
  }

  /** Resolves when it accepts connections. @throws FastCgiError ERR_FCGI_CONNECT with its last words */
  start(): Promise<void> {
    this.#started ??= this.#launch()
    return this.#started
  }

  async stop(): Promise<void> {
    this.#stopping = true
    const supervisor = this.#supervisor
    if (supervisor !== null && supervisor.exitCode === null && supervisor.signalCode === null) {
      supervisor.ref()
      await new Promise<void>((resolve) => {
        supervisor.once('exit', () => resolve())
        this.#order({ kind: 'stop', signal: 'SIGTERM' })
      })
    }
    removeDirectory(this.#directory)
  }

  async #launch(): Promise<void> {
    const { program, inheritSocket } = this.#recipe
    const listener = inheritSocket ? await listenUnaccepted(this.address) : null
    this.#supervisor = this.#fork(listener)
    // The supervisor has the socket now; here it would only be in the way.
    listener?.close()
    this.#order({ kind: 'start', ...this.#recipe, directory: this.#directory })
    if (!inheritSocket) await this.#waitUntilItAccepts()
    this.#options.log?.info(`${this.#options.name}: started ${program}, listening on ${this.address}`)
  }

  #fork(listener: Server | null): ChildProcess {
    const here = fileURLToPath(import.meta.url)
    const supervise = fileURLToPath(new URL(`./supervise${extname(here)}`, import.meta.url))
    const supervisor = fork(supervise, [], {
      stdio: [listener === null ? 'ignore' : descriptorOf(listener), 'pipe', 'pipe', 'ipc'],
      // From sources the loader of TypeScript goes along; a debugger's port must not.
      execArgv: extname(here) === '.ts' ? process.execArgv : [],
    })
    supervisor.on('message', (report: SupervisorReport) => this.#onReport(report))
    supervisor.once('exit', () => this.#onExit())
    this.#readLines(supervisor.stdout)
    this.#readLines(supervisor.stderr)
    // A gateway that is not closed may end all the same: the supervisor notices.
    supervisor.unref()
    supervisor.channel?.unref()
    return supervisor
  }

  #readLines(output: Readable | null): void {
    if (output === null) return
    if ('unref' in output && typeof output.unref === 'function') output.unref()
    createInterface({ input: output }).on('line', (line) => {
      this.#lastLines.push(line)
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift()
      this.#options.log?.warn(`${this.#options.name}: ${line}`)
    })
  }

  #onReport(report: SupervisorReport): void {
    const { name, log } = this.#options
    if (report.kind === 'restarting') {
      return log?.warn(`${name}: the backend ended (${report.ending}) and is started again in ${report.pause} ms`)
    }
    this.#fail(`it ended again and again (${report.ending})`)
  }

  #onExit(): void {
    if (!this.#stopping) this.#fail('its supervisor was killed')
  }

  #fail(what: string): void {
    if (this.#failure !== null) return
    const words = this.#lastLines.length === 0 ? '' : `; its last words: ${this.#lastLines.join(' | ')}`
    const detail = `The backend ${this.#recipe.program} is not running: ${what}${words}`
    this.#failure = new FastCgiError('ERR_FCGI_CONNECT', { detail })
    this.#started = Promise.reject(this.#failure)
    this.#started.catch(() => undefined) // for those who ask later
    this.#options.log?.error(`${this.#options.name}: ${detail}`)
  }

  async #waitUntilItAccepts(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT
    while (!(await accepts(this.address))) {
      if (this.#failure !== null) throw this.#failure
      if (performance.now() > deadline) {
        this.#fail(`it does not accept connections after ${START_TIMEOUT} ms`)
      }
      await wait(START_POLL)
    }
  }

  #order(order: SupervisorOrder): void {
    if (this.#supervisor?.connected === true) this.#supervisor.send(order)
  }
}

/** A listening unix socket at a path that stays when the server is closed: libuv removes only the path that it made. */
async function listenUnaccepted(path: string): Promise<Server> {
  const made = `${path}.new`
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: made, backlog: 511 }, resolve)
  })
  renameSync(made, path)
  return server
}

/** The number of the listening socket; Node shows it only here. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: number } }
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('This system has no file descriptors of sockets')
  return handle.fd
}

function accepts(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    openSocket(parseAddress(address), START_TIMEOUT, (error, socket) => {
      socket?.destroy()
      resolve(error === null)
    })
  })
}
