import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FastCgiOptions } from '../../lib/index.ts'

/** A gateway in a process of its own. */
export interface GatewayProcess {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Bytes of resident memory: the highest ever, and after a collection of garbage. */
  memory(): Promise<{ readonly peak: number; readonly now: number }>
  stop(): Promise<void>
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the gateway process ended'))),
  ])
  return message as T
}

/** Starts test/fixtures/gateway/serve.ts; it ends with the test process, whose channel it holds. */
export async function startGatewayProcess(options: FastCgiOptions): Promise<GatewayProcess> {
  const script = fileURLToPath(new URL('../fixtures/gateway/serve.ts', import.meta.url))
  const child = fork(script, [JSON.stringify(options)], { execArgv: ['--import', 'tsx', '--expose-gc'] })
  const { port } = await answer<{ port: number }>(child)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    async memory() {
      child.send('memory')
      return await answer<{ peak: number; now: number }>(child)
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
