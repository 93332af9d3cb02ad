import type { IncomingMessage, ServerResponse } from 'node:http'
import { Backend, type BackendStatus } from './backend/backend.ts'
import { BackendGroup } from './backend/group.ts'
import { readConfig } from './config/load.ts'
import { FastCgiError, OptionError } from './errors.ts'
import { type Next, sendFailure } from './http/failure.ts'
import { type Gateway, serve } from './http/handler.ts'
import { escapeLog } from './http/log.ts'
import { Resolver } from './http/resolution/resolution.ts'
import { resolveOptions } from './options/resolve.ts'
import type { FastCgiOptions, Logger, ResolvedLocation, ResolvedOptions, ResolvedServer } from './options/types.ts'
import { ManagedServer } from './process/managed-server.ts'
import { findPhp } from './process/programs.ts'
import { phpCommand } from './process/recipe.ts'

/** What `handler.status()` gives: a snapshot, plain data. */
export interface GatewayStatus {
  readonly servers: readonly BackendStatus[]
}

/** A handler for Express 4 and 5, Connect and `http.createServer`; without `next`, what it does not serve is a 404. */
export interface FastCgiHandler {
  (req: IncomingMessage, res: ServerResponse, next?: Next): void
  /** Refuses new requests with 503, lets those under way finish, then closes every connection. */
  close(): Promise<void>
  status(): GatewayStatus
}

/**
 * Makes a handler that serves requests through FastCGI.
 * @param configuration options, or the path of a configuration file or of a Monkey 1.6 `conf` directory
 * @throws OptionError for a mistake in the options; ConfigError with every mistake of a file. Nothing is served then.
 */
export function fastcgi(configuration: FastCgiOptions | string): FastCgiHandler {
  const { options, warnings } =
    typeof configuration === 'string' ? readConfig(configuration) : { options: configuration, warnings: [] }
  const resolved = resolveOptions(options)
  for (const warning of warnings) resolved.logger?.warn(warning)
  const backends = new Map(resolved.servers.map((server) => [server.name, createBackend(server, resolved)]))
  const gateway = createGateway(resolved, backends)
  const drain = new Drain()
  const handler = (req: IncomingMessage, res: ServerResponse, next?: Next): void => {
    if (drain.closing) return sendFailure(new FastCgiError('ERR_FCGI_CLOSED'), { req, res, next })
    drain.enter()
    void serve(gateway, { req, res, next }).finally(() => drain.leave())
  }
  return Object.assign(handler, {
    async close(): Promise<void> {
      await drain.close()
      await Promise.all([...backends.values()].map((backend) => backend.close()))
    },
    status: (): GatewayStatus => ({ servers: [...backends.values()].map((backend) => backend.status) }),
  })
}

function createBackend(server: ResolvedServer, { locations, logger }: ResolvedOptions): Backend {
  const { name, command, processes } = server
  if (command === null) return new Backend(server)
  const root = locations.find(({ servers }) => servers.includes(name))?.root ?? null
  const log = logger === null ? null : escapingLog(logger)
  return new Backend(
    server,
    new ManagedServer({ name, command: command === 'auto' ? anyPhp() : command, processes, root, log }),
  )
}

/** A backend's own words come from scripts, and these may repeat what a client has sent. */
function escapingLog(logger: Logger): Logger {
  return {
    info: (message) => logger.info(escapeLog(message)),
    warn: (message) => logger.warn(escapeLog(message)),
    error: (message) => logger.error(escapeLog(message)),
  }
}

function anyPhp(): readonly string[] {
  const php = findPhp()
  if (php !== null) return phpCommand(php)
  throw new OptionError(
    'server: there is no PHP here to be started; install php-fpm or php-cgi (apt-get install php-fpm, brew install php), ' +
      'or PHP for Node (npm install @php-wasm/node-8-4), or give the address of one that runs: server: "127.0.0.1:9000"',
  )
}

function createGateway(options: ResolvedOptions, backends: ReadonlyMap<string, Backend>): Gateway {
  const resolver = new Resolver(options.locations)
  const groups = new Map(options.locations.map((location) => [location, createGroup(location, backends)]))
  return {
    trustProxy: options.trustProxy,
    log: options.logger,
    resolve: (facts) => resolver.resolve(facts),
    groupOf: (location) => groups.get(location) ?? createGroup(location, backends),
  }
}

function createGroup(location: ResolvedLocation, backends: ReadonlyMap<string, Backend>): BackendGroup {
  const [first, ...others] = location.servers.flatMap((name) => backends.get(name) ?? [])
  if (first === undefined) throw new OptionError(`The location ${location.name} has no server`)
  return new BackendGroup([first, ...others])
}

/** Counts the requests under way, so that closing loses none. */
class Drain {
  #active = 0
  #closing: Promise<void> | null = null
  #emptied: (() => void) | null = null

  get closing(): boolean {
    return this.#closing !== null
  }

  enter(): void {
    this.#active += 1
  }

  leave(): void {
    this.#active -= 1
    if (this.#active === 0) this.#emptied?.()
  }

  /** Resolves when the last request that had entered has left. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#emptied = resolve
      if (this.#active === 0) resolve()
    })
    return this.#closing
  }
}
