import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('gateway.mjs', import.meta.url))

/** A measured process. */
export interface Gateway {
  /** `host:port` of its HTTP. */
  readonly address: string
  /** The processes whose CPU counts. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** A gateway in Node. */
export interface NodeGateway extends Gateway {
  /** Begins a CPU profile; the second call ends it and writes the file. */
  profile(file: string): Promise<void>
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new Error('The gateway has ended; what it said stands above'))
    child.once('exit', failed)
    child.once('error', reject)
    child.once('message', (message) => {
      child.off('exit', failed)
      child.off('error', reject)
      resolve(message)
    })
  })
}

function hasPort(message: unknown): message is { readonly port: number } {
  return typeof message === 'object' && message !== null && 'port' in message && typeof message.port === 'number'
}

/** Starts bench/gateway.mjs, in plain Node. It ends with this process too, whose end of the channel it sees close. */
export async function startGateway(
  settings: object,
  command: (command: readonly string[]) => readonly [string, ...string[]],
): Promise<NodeGateway> {
  const [file, ...args] = command([process.execPath, PROGRAM, JSON.stringify(settings)])
  // Without NODE_OPTIONS: nothing of the loader that runs the bench itself.
  const { NODE_OPTIONS: _options, ...environment } = process.env
  const env = { ...environment, NODE_ENV: 'production' }
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env })
  const message = await nextMessage(child)
  if (!hasPort(message) || child.pid === undefined) throw new Error('The gateway did not tell its port')
  return {
    address: `127.0.0.1:${message.port}`,
    pids: [child.pid],
    async profile(path) {
      child.send({ profile: path })
      await nextMessage(child)
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Peak of the resident memory of a process in bytes (proc(5): VmHWM); null where there is no /proc. */
export function peakMemory(pids: readonly number[]): number | null {
  try {
    const kibibytes = pids.map((pid) =>
      Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]),
    )
    return Math.max(...kibibytes) * 1_024
  } catch {
    return null
  }
}
