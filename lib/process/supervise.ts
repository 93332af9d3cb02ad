/**
 * The supervisor: a process of its own between the gateway and a backend. It holds the backend's listening socket as file
 * descriptor 0, unread, so that requests wait in its backlog while a process of the backend is started again (a Node process
 * that listened itself would take them); and it sees the gateway end, however that ends, as its channel closes.
 */
import { removeDirectory } from './private-directory.ts'
import { type ProcessListener, type SupervisedCommand, SupervisedProcess } from './supervised-process.ts'
import type { SupervisorOrder, SupervisorReport } from './supervisor-messages.ts'

const processes: SupervisedProcess[] = []
const directories: string[] = []

function report(message: SupervisorReport): void {
  process.send?.(message)
}

function supervise(order: Extract<SupervisorOrder, { kind: 'start' }>): void {
  const { program, parameters, environment, count, inheritSocket, directory } = order
  directories.push(directory)
  const listener: ProcessListener = {
    restarting: (ending, pause) => report({ kind: 'restarting', ending, pause }),
    gaveUp: (ending) => report({ kind: 'gave up', ending }),
  }
  const stdio: SupervisedCommand['stdio'] = [inheritSocket ? 0 : 'ignore', 1, 2]
  for (let started = 0; started < count; started += 1) {
    const supervised = new SupervisedProcess({ program, parameters, environment, stdio }, listener)
    processes.push(supervised)
    supervised.start()
  }
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  await Promise.all(processes.map((supervised) => supervised.stop(signal)))
  process.exit(0)
}

process.on('message', (order: SupervisorOrder) => {
  if (order.kind === 'start') supervise(order)
  else void stop(order.signal)
})

// The gateway is gone without a word.
process.on('disconnect', () => {
  for (const supervised of processes) supervised.kill()
  for (const directory of directories) removeDirectory(directory)
  process.exit(1)
})

// A terminal's Ctrl-C reaches the whole group: whether to stop, and when, is the gateway's to say.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('SIGHUP', () => undefined)
