import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type PrivateDirectory, signalGroup } from './private-directory.ts'

/** A FastCGI application (or nginx) that a test started: its own group of processes in a private directory. */
export interface Backend {
  /** `host:port`, or the path of a unix socket. */
  readonly address: string
  /** Private (0700), gone after `stop()`. */
  readonly directory: string
  /** Of the process started; its group has the same number. */
  readonly pid: number
  /** Everything that the processes wrote to stdout and stderr. */
  log(): string
  /** Signals the whole group: SIGKILL is a crash, SIGSTOP makes it silent, SIGCONT brings it back. */
  kill(signal: NodeJS.Signals): void
  /** The ids of all the processes in the group. */
  processes(): number[]
  /** Kills whatever is left of the group and removes the directory; may be called twice. */
  stop(): Promise<void>
}

/** How to start a {@link Backend}. */
export interface BackendCommand {
  readonly file: string
  readonly arguments: readonly string[]
  readonly address: string
  readonly directory: PrivateDirectory
  readonly environment?: Readonly<Record<string, string>>
}

/** Long enough for a loaded machine of two cores; reached only when something is broken. */
const START_DEADLINE = 30_000

const LOG_FILE = 'output.log'

/** A port of 127.0.0.1 that nothing listens on, below the range from which the kernel gives ports to clients. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}

/** The arguments of `net.connect` for an address. */
export function socketOptions(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('/')) return { path: address }
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function accepts(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketOptions(address))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** The ids of the living processes of a group; zombies, which hold nothing, are not counted. */
export function processesOfGroup(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const fields = statFields(pid)
      // proc(5): state is the first field after the name, the group the third; Z has died already.
      return fields[2] === String(group) && fields[0] !== 'Z'
    })
}

function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    // It ended while we looked.
    return []
  }
}

/** Starts a program and waits until its address accepts connections; its output is in the error if it ends before that. */
export async function startBackend(command: BackendCommand): Promise<Backend> {
  const { address, directory } = command
  const output = openSync(join(directory.path, LOG_FILE), 'a')
  const child = spawn(command.file, [...command.arguments], {
    cwd: directory.path,
    detached: true,
    stdio: ['ignore', output, output],
    env: { PATH: process.env.PATH, LC_ALL: 'C', ...command.environment } as NodeJS.ProcessEnv,
  })
  closeSync(output)
  if (child.pid === undefined) {
    const cause = await new Promise((resolve) => child.once('error', resolve))
    directory.remove()
    throw new Error(`${command.file} cannot be started`, { cause })
  }
  const backend = new RunningBackend(child, child.pid, command)
  const deadline = Date.now() + START_DEADLINE
  while (!(await accepts(address))) {
    const ended = child.exitCode !== null || child.signalCode !== null
    if (ended || Date.now() > deadline) {
      const log = backend.log()
      await backend.stop()
      throw new Error(`${command.file} ${ended ? 'ended at once' : `does not accept on ${address}`}:\n${log}`)
    }
    await wait(10)
  }
  return backend
}

/** Starts on 127.0.0.1 and tries another port when somebody was quicker. */
export async function startOnFreePort(start: (port: number) => Promise<Backend>): Promise<Backend> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (attempt === 3 || !/address already in use|Address in use|\(98\)/i.test(String(error))) throw error
    }
  }
}

class RunningBackend implements Backend {
  readonly address: string
  readonly directory: string
  readonly pid: number
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #directory: PrivateDirectory
  #lastLog = ''

  constructor(child: ChildProcess, pid: number, command: BackendCommand) {
    this.address = command.address
    this.directory = command.directory.path
    this.pid = pid
    this.#child = child
    this.#directory = command.directory
    this.#directory.adopt(pid)
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()))
    // A test that forgets stop() must end all the same.
    child.unref()
  }

  log(): string {
    try {
      this.#lastLog = readFileSync(join(this.directory, LOG_FILE), 'utf8')
    } catch {
      // Stopped: the last text that was read stays.
    }
    return this.#lastLog
  }

  kill(signal: NodeJS.Signals): void {
    signalGroup(this.pid, signal)
  }

  processes(): number[] {
    return processesOfGroup(this.pid)
  }

  async stop(): Promise<void> {
    this.log()
    signalGroup(this.pid, 'SIGKILL')
    this.#child.ref()
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited
    while (this.processes().length > 0) await wait(5)
    this.#directory.remove()
  }
}
