import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** How the clients behave; durations in milliseconds. */
export interface LoadSettings {
  readonly address: string
  /** A file with the bytes of the request. */
  readonly request: string
  readonly connections: number
  readonly warm: number
  /** Answers that warming up needs, however long that takes. */
  readonly warmRequests: number
  readonly measure: number
  /** One exchange alone, measured whole. */
  readonly once: boolean
  /** Bytes that follow the request. */
  readonly upload: number
  readonly pause: number
  readonly pids: readonly number[]
}

/** What bench/load.c and bench/load.mjs print. */
export interface LoadReport {
  readonly requests: number
  readonly errors: number
  readonly seconds: number
  /** Of bodies, received. */
  readonly bytes: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of CPU of each process. */
  readonly cpu: readonly number[]
}

/** Runs the clients to their end. */
export async function runLoad(command: readonly string[], settings: LoadSettings): Promise<LoadReport> {
  const [file = '', ...before] = command
  const { once, pids, ...plain } = settings
  const args = Object.entries({ ...plain, once: Number(once), pids: pids.join(',') }).map(
    ([name, value]) => `${name}=${value}`,
  )
  const { NODE_OPTIONS: _options, ...env } = process.env
  const child = spawn(file, [...before, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  const [output, code] = await Promise.all([text(child.stdout), ended])
  if (code !== 0) throw new Error(`The load has ended with ${code}`)
  return JSON.parse(output) as LoadReport
}
