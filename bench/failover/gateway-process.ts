import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FastCgiOptions } from '../../lib/index.ts'

const PROGRAM = fileURLToPath(new URL('gateway.mjs', import.meta.url))

/** A request that the gateway could not serve. */
export interface GatewayFailure {
  readonly method: string
  readonly code: string
  /** The servers it was sent to, each followed by what went wrong there. */
  readonly journey: readonly string[]
}

/** What happened in a gateway for a while. */
export interface GatewayReport {
  /** Requests that were sent again. */
  readonly retries: number
  /** Times that a server was taken down, and came back. */
  readonly downs: number
  readonly ups: number
  readonly failures: readonly GatewayFailure[]
}

/** A gateway in a process of its own. */
export interface Gateway {
  readonly port: number
  /** Since the last call. */
  report(): Promise<GatewayReport>
  stop(): Promise<void>
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const stop = new AbortController()
  const ended = once(child, 'exit', stop).then(() => Promise.reject(new Error('The gateway has ended')))
  try {
    const [message] = (await Promise.race([once(child, 'message', stop), ended])) as [T]
    return message
  } finally {
    ended.catch(() => undefined)
    stop.abort()
  }
}

/** Starts gateway.mjs on a build of the package, or with tsx on its source; it ends with this process, whose channel it holds. */
export async function startGateway(entry: string, options: FastCgiOptions): Promise<Gateway> {
  const loader = entry.endsWith('.ts') ? ['--import', 'tsx'] : []
  const { NODE_OPTIONS: _options, ...environment } = process.env
  const child = spawn(process.execPath, [...loader, PROGRAM, JSON.stringify({ entry, options })], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...environment, NODE_ENV: 'production' },
  })
  const { port } = await answer<{ readonly port: number }>(child)
  return {
    port,
    async report() {
      child.send('report')
      return await answer<GatewayReport>(child)
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
