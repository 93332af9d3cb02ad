import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BackendStatus } from '../backend/backend-status.ts'
import type { Server } from '../backend/server.ts'
import { createAllowanceFactory } from '../cluster/allowance-factory.ts'
import { FastCgiError } from '../errors.ts'
import { type Next, sendFailure } from '../http/failure.ts'
import { serve } from '../http/handler.ts'
import { escapeLog } from '../http/log.ts'
import type { Logger, ResolvedOptions } from '../options/types.ts'
import { createServer, identityOf, type ServerSurroundings } from './create-server.ts'
import { Generation } from './generation.ts'
import type { GatewayStatus } from './status.ts'

/** The servers of a configuration, and which of them are new. */
interface Lineup {
  readonly servers: readonly Server[]
  readonly created: readonly Server[]
}

/**
 * The configuration that serves, and those before it that still have requests. A server that is in the next configuration too is
 * the same one there: it keeps its connections, its health and its counters.
 */
export class LiveGateway {
  /** A backend's own words come from scripts, and these may repeat what a client has sent. */
  readonly #log: Logger = {
    info: (message) => this.#current?.options.logger?.info(escapeLog(message)),
    warn: (message) => this.#current?.options.logger?.warn(escapeLog(message)),
    error: (message) => this.#current?.options.logger?.error(escapeLog(message)),
  }
  readonly #began: number = performance.now()
  readonly #closed: AbortController = new AbortController()
  #current: Generation | null = null
  /** Configurations with requests under way, the current one among them. */
  readonly #alive = new Set<Generation>()
  /** Servers that serve, in whichever configuration. */
  readonly #identities = new Map<Server, string>()
  /** Servers that are being closed, and serve nobody any more. */
  readonly #leaving = new Set<Server>()
  /** The ends of configurations that were replaced. */
  readonly #endings = new Set<Promise<void>>()
  #loads = 0
  #closing: Promise<void> | null = null

  /** Aborted when {@link close} is called. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /**
   * Serves with these options from the next request on. Requests under way keep those with which they began.
   * @throws OptionError where there is something that cannot be; nothing has changed then. FastCgiError ERR_FCGI_CLOSED
   */
  load(options: ResolvedOptions): void {
    if (this.#closing !== null) throw new FastCgiError('ERR_FCGI_CLOSED')
    const { servers, created } = this.#lineUp(options)
    const next = this.#generate(options, { servers, created })
    const last = this.#current
    this.#current = next
    this.#alive.add(next)
    this.#loads += 1
    for (const [index, server] of servers.entries()) {
      const configured = options.servers[index]
      if (configured !== undefined && !created.includes(server)) server.reconfigure(configured)
    }
    if (last !== null) this.#replace(last, next, created)
  }

  handle(req: IncomingMessage, res: ServerResponse, next: Next | undefined): void {
    const generation = this.#current
    if (generation === null || this.#closing !== null) {
      return sendFailure(new FastCgiError('ERR_FCGI_CLOSED'), { req, res, next })
    }
    generation.enter()
    serve(generation.gateway, { req, res, next }, generation.leave)
  }

  status(): GatewayStatus {
    const current = this.#current?.servers ?? []
    const leaving = [...this.#identities.keys(), ...this.#leaving].filter((server) => !current.includes(server))
    return {
      servers: [
        ...current.flatMap((server) => server.status),
        ...leaving.flatMap((server) =>
          server.status.map((status): BackendStatus => ({ ...status, state: 'draining' })),
        ),
      ],
      locations: this.#current?.status ?? [],
      reloads: this.#loads - 1,
      pid: process.pid,
      uptime: (performance.now() - this.#began) / 1000,
    }
  }

  /** Refuses new requests, lets those under way finish, whatever configuration they have, then closes everything. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed.abort()
    if (this.#current !== null) this.#endSoon(this.#current)
    await Promise.all(this.#endings)
  }

  /** A server that is about already stays; @throws OptionError with those that were made closed again */
  #lineUp(options: ResolvedOptions): Lineup {
    const known = new Map([...this.#identities].map(([server, identity]) => [identity, server]))
    const surroundings = this.#surroundingsOf(options)
    const created: Server[] = []
    try {
      const servers = options.servers.map((server) => {
        const same = known.get(identityOf(server, options))
        if (same !== undefined) return same
        const made = createServer(server, options, surroundings)
        created.push(made)
        this.#identities.set(made, identityOf(server, options))
        return made
      })
      return { servers, created }
    } catch (error) {
      this.#discard(created)
      throw error
    }
  }

  #surroundingsOf({ workers }: ResolvedOptions): ServerSurroundings {
    return { log: this.#log, createAllowance: createAllowanceFactory(workers, (message) => this.#log.warn(message)) }
  }

  #generate(options: ResolvedOptions, { servers, created }: Lineup): Generation {
    try {
      return new Generation(options, servers)
    } catch (error) {
      this.#discard(created)
      throw error
    }
  }

  #discard(created: readonly Server[]): void {
    for (const server of created) {
      this.#identities.delete(server)
      void closeLoudly(server, this.#log)
    }
  }

  #replace(last: Generation, next: Generation, created: readonly Server[]): void {
    this.#endSoon(last)
    const names = (servers: readonly Server[]): string => servers.map(({ name }) => name).join(', ') || 'none'
    const stayed = next.servers.filter((server) => !created.includes(server))
    const gone = last.servers.filter((server) => !next.servers.includes(server))
    this.#log.info(
      `Configuration reloaded; servers that stay: ${names(stayed)}; new: ${names(created)}; gone: ${names(gone)}`,
    )
  }

  /** Its requests may finish; then those of its servers are closed that no other configuration has. */
  #endSoon(generation: Generation): void {
    const ending = this.#end(generation).finally(() => this.#endings.delete(ending))
    this.#endings.add(ending)
  }

  async #end(generation: Generation): Promise<void> {
    await generation.end()
    this.#alive.delete(generation)
    const left = [...this.#identities.keys()].filter((server) =>
      [...this.#alive].every(({ servers }) => !servers.includes(server)),
    )
    await Promise.all(left.map((server) => this.#closeServer(server)))
  }

  async #closeServer(server: Server): Promise<void> {
    this.#identities.delete(server)
    this.#leaving.add(server)
    await closeLoudly(server, this.#log)
    this.#leaving.delete(server)
  }
}

/** Nobody need wait for it: what goes wrong is in the log. */
async function closeLoudly(server: Server, log: Logger): Promise<void> {
  try {
    await server.close()
  } catch (error) {
    log.error(`${server.name} could not be closed: ${String(error)}`)
  }
}
