import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { processesOfGroup } from './backend.ts'
import { eventually } from './eventually.ts'
import type { Gateway } from './gateway.ts'
import { type Answer, ask } from './http-client.ts'

/** Where the backend that a gateway has started listens, as its log says. */
export function startedAddress(log: readonly string[]): string {
  const address = log.findLast((line) => line.includes(': started '))?.split('listening on ')[1]
  if (address === undefined) throw new Error(`nothing was started:\n${log.join('\n')}`)
  return address
}

/** The processes that its supervisor has started and that run, as the ledger in the private directory says. */
export function startedProcesses(log: readonly string[]): readonly number[] {
  const ledger = readFileSync(join(dirname(startedAddress(log)), 'processes.json'), 'utf8')
  const entries = JSON.parse(ledger) as { pid: number }[]
  return entries.map(({ pid }) => pid).filter((pid) => processesOfGroup(pid).length > 0)
}

/** The parent of a process. */
export function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // proc(5): the parent is the second field after the name.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

/** The supervisor of what was started; a process that ends meanwhile is no mistake. */
export async function supervisorOf(log: readonly string[]): Promise<number> {
  let supervisor = 0
  await eventually('a process of the backend runs', () => {
    try {
      const [pid] = startedProcesses(log)
      if (pid !== undefined) supervisor = parentOf(pid)
    } catch {
      return false
    }
    return supervisor > 1
  })
  return supervisor
}

/** Signals a process; one that has ended is no mistake. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Clients that ask one after the other, until they are stopped. */
export interface Load {
  /** Resolves when every client has had two answers to requests that it began after this call. */
  round(): Promise<void>
  /** Every answer. */
  stop(): Promise<readonly Answer[]>
}

/** Asks for a path with so many clients at once. */
export function startLoad(gateway: Pick<Gateway, 'url'>, path: string, clients: number): Load {
  const answers: Answer[] = []
  const counts = Array.from({ length: clients }, () => 0)
  const watchers = new Set<() => void>()
  let stopped = false
  const client = async (index: number): Promise<void> => {
    while (!stopped) {
      answers.push(await ask(gateway.url + path))
      counts[index] = (counts[index] ?? 0) + 1
      for (const watch of watchers) watch()
    }
  }
  const running = counts.map((_, index) => client(index))
  return {
    round() {
      const before = [...counts]
      return new Promise((resolve) => {
        const watch = (): void => {
          if (counts.some((count, index) => count < (before[index] ?? 0) + 3)) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
      })
    },
    async stop() {
      stopped = true
      await Promise.all(running)
      return answers
    },
  }
}
