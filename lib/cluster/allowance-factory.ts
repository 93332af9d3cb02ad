import cluster from 'node:cluster'
import { type CreateAllowance, fixedAllowance } from '../backend/allowance.ts'
import { OptionError } from '../errors.ts'
import { DealerLink } from './dealer-link.ts'

/** One for this process, as there is one channel: a listener for each handler would soon be too many. */
let link: DealerLink | null = null

/**
 * How the pools of this process come to their share of each server's `maxConnections`.
 * @param workers processes that share them, each with the same fixed part; null: a worker of Node's cluster asks its primary,
 *   any other process has all of them. Worker threads and forked children that are no cluster's workers are any other process.
 * @param warn told once, when this is a worker and its primary does not deal
 */
export function createAllowanceFactory(workers: number | null, warn: (message: string) => void): CreateAllowance {
  if (workers !== null) return (key, total) => fixedAllowance(total, (all) => partOf(all, workers, key))
  if (!cluster.isWorker) return (_, total) => fixedAllowance(total)
  return (key, total, user) => {
    link ??= new DealerLink({
      get connected(): boolean {
        return process.connected
      },
      // It fails only when the primary has gone, and then the cluster ends this process.
      send: (message) => void process.send?.(message, undefined, undefined, () => undefined),
      listen: (listener) => void process.on('message', listener),
      unlisten: (listener) => void process.off('message', listener),
    })
    return link.create({ key, total, user }, warn)
  }
}

/** The same for each of so many processes; what is left over is nobody's. */
function partOf(total: number, workers: number, key: string): number {
  if (total >= workers) return Math.floor(total / workers)
  throw new OptionError(
    `workers: ${workers} processes cannot share the ${total} connections of maxConnections to ${key}, some would get none; ` +
      `give it maxConnections of ${workers} or more, or run fewer processes`,
  )
}
