import type { Balance } from '../../lib/backend/balance.ts'
import { BackendGroup, type PlaceRequest, type PlaceWish, type TakenPlace } from '../../lib/backend/group.ts'
import type { NameLookup } from '../../lib/backend/name-lookup.ts'
import { Server, type ServerOptions, type ServerParts } from '../../lib/backend/server.ts'
import type { WaitLimits } from '../../lib/backend/wait-queue.ts'

/** A server with the defaults of the configuration, but 4 connections and no health check. */
export function serverFor(
  address: string | null,
  options: Partial<ServerOptions> = {},
  parts: ServerParts = {},
): Server {
  return new Server(serverOptions(address, options), parts)
}

/** The options of {@link serverFor}. */
export function serverOptions(address: string | null, options: Partial<ServerOptions> = {}): ServerOptions {
  return {
    name: 'php',
    address,
    maxConnections: 4,
    maxRequests: Number.POSITIVE_INFINITY,
    idleTimeout: 30_000,
    restarts: false,
    weight: 1,
    backup: false,
    maxFails: 3,
    failTimeout: 10_000,
    healthCheck: null,
    ...options,
  }
}

/** The group of a location. */
export function groupOf(servers: readonly Server[], balance: Balance = 'fill'): BackendGroup {
  const [first, ...others] = servers
  if (first === undefined) throw new Error('A group has a server')
  return new BackendGroup({ name: 'app', balance, servers: [first, ...others] })
}

/** The only backend of a server. */
export function only({ backends }: Server): TakenPlace['backend'] {
  const [first] = backends
  if (first === undefined || backends.length > 1) throw new Error(`There are ${backends.length} backends`)
  return first
}

/** Who waits, and for how long at most. */
export interface Waiting extends Partial<WaitLimits>, Partial<PlaceRequest> {
  readonly signal?: AbortSignal
}

/** A place as an exchange takes it: at once, or at its turn. */
export async function place(group: BackendGroup, waiting: Waiting = {}): Promise<TakenPlace> {
  const { signal, client = 'c', tried = [], ...limits } = waiting
  const wish = { request: 1, queueTimeout: 30_000, queueLimit: 100, client, tried, ...limits }
  return group.take(wish) ?? (await placeAtTurn(group, wish, signal))
}

/** A place as an exchange waits for it. */
export function placeAtTurn(
  group: BackendGroup,
  asked: Omit<PlaceWish, 'admit' | 'refuse'>,
  signal?: AbortSignal,
): Promise<TakenPlace> {
  return new Promise((resolve, reject) => {
    const wish = { ...asked, admit: resolve, refuse: reject }
    signal?.addEventListener('abort', () => {
      group.leave(wish)
      reject(signal.reason)
    })
    group.wait(wish)
  })
}

/** A name whose addresses the test says. */
export function lookupOf(addresses: () => Promise<readonly string[]>): () => NameLookup {
  return () => ({ addresses: addresses(), records: Promise.resolve([]), cancel: () => undefined })
}
