import cluster, { type Worker } from 'node:cluster'
import { isMainThread } from 'node:worker_threads'
import { Dealer } from './dealer.ts'
import { type DealerMessage, isWorkerMessage } from './messages.ts'

/** On globalThis, so that two copies of this package in one primary do not both deal. */
const INSTALLED: unique symbol = Symbol.for('express-fastcgi.dealer')

/**
 * Lets the primary of a cluster deal every server's `maxConnections` out to its workers. Does nothing in a worker, nor the second time; where
 * no worker is ever forked, three listeners on `cluster` are all it costs.
 */
export function installDealer(): void {
  if (!cluster.isPrimary || !isMainThread || INSTALLED in globalThis) return
  Object.defineProperty(globalThis, INSTALLED, { value: true })
  const dealer = new Dealer({
    send: (id, message) => tell(cluster.workers?.[id], message),
    workers: () => Object.keys(cluster.workers ?? {}).length,
  })
  cluster.on('message', (worker, message: unknown) => {
    // What a worker sent can be read after its end has been told: it must not be dealt to any more.
    if (isWorkerMessage(message) && !worker.isDead()) dealer.receive(worker.id, message)
  })
  cluster.on('disconnect', ({ id }) => dealer.silence(id))
  cluster.on('exit', ({ id }) => dealer.bury(id))
  // Workers that were forked before have asked in vain.
  for (const worker of Object.values(cluster.workers ?? {})) tell(worker, { type: 'express-fastcgi:deal' })
}

function tell(worker: Worker | undefined, message: DealerMessage): void {
  // One that ends in this moment takes no message: its exit will be told.
  if (worker?.isConnected() === true) worker.send(message, () => undefined)
}
