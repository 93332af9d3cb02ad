/**
 * The supervisor: a process of its own between the gateway and a backend. It holds the backend's listening socket as file
 * descriptor 0, unread, so that requests wait in its backlog while a process of the backend is started again (a Node process
 * that listened itself would take them); and it sees the gateway end, however that ends, as its channel closes.
 */
import { type LedgerEntry, writeLedger } from './ledger.ts'
import { removeDirectory } from './private-directory.ts'
import { type ProcessListener, SupervisedProcess } from './supervised-process.ts'
import type { Recipe, SupervisorOrder, SupervisorReport } from './supervisor-messages.ts'

const processes: SupervisedProcess[] = []
const running = new Map<number, LedgerEntry>()
let recipe: Recipe | null = null
let directory: string | null = null

function supervise(order: Extract<SupervisorOrder, { kind: 'start' }>): void {
  const given = order.recipe
  recipe = given
  directory = order.directory
  const command = [given.program, ...given.parameters].join(' ')
  const listener: ProcessListener = {
    started(pid) {
      running.set(pid, { pid, command })
      noteRunning(order.directory)
    },
    ended(pid, ending) {
      if (pid !== undefined) running.delete(pid)
      report(ending)
    },
  }
  for (let started = 0; started < given.count; started += 1) {
    const supervised = new SupervisedProcess({ ...given, stdio: stdioOf(given) }, listener)
    processes.push(supervised)
    supervised.start()
  }
}

function report(ending: SupervisorReport): void {
  // Who is not there to hear it is told of by disconnect.
  process.send?.(ending, undefined, undefined, () => undefined)
}

function noteRunning(path: string): void {
  try {
    writeLedger(path, [...running.values()])
  } catch {
    // A full disk must not end the site; all that is lost is that nobody finds the processes after a SIGKILL of us.
  }
}

/** The listening socket is our own file descriptor 0. */
function stdioOf({ socket }: Recipe): ('ignore' | number)[] {
  if (socket === 0) return [0, 1, 2]
  return socket === 3 ? ['ignore', 1, 2, 0] : ['ignore', 1, 2]
}

async function stop(): Promise<void> {
  const signal = recipe?.stopSignal ?? 'SIGTERM'
  await Promise.all(processes.map((supervised) => supervised.stop(signal)))
  process.exit(0)
}

process.on('message', (order: SupervisorOrder) => {
  if (order.kind === 'start') supervise(order)
  else void stop()
})

// The gateway is gone without a word.
process.on('disconnect', () => {
  for (const supervised of processes) supervised.kill()
  if (directory !== null) removeDirectory(directory)
  process.exit(1)
})

// Whether to stop, and when, is the gateway's to say, also where a signal goes to all processes of a service or a terminal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined)
