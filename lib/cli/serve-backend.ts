import cluster from 'node:cluster'
import { relative, resolve } from 'node:path'
import {
  type FastCgiHandler,
  type FastCgiOptions,
  fastcgi,
  type Logger,
  readConfig,
  type StartedServer,
  startServer,
} from '../index.ts'
import type { ServeCommand } from './serve-command.ts'

/** What runs the scripts, as plain data: the workers of a cluster get it from the primary. */
export interface BackendFacts {
  /** In the log, beside each request; null: a configuration file may have several. */
  readonly label: string | null
  /** For people: what was taken. */
  readonly description: string
  /** Of the only server; null: the configuration file has them. */
  readonly address: string | null
  /** The processes of the only server were started here, and are started again. */
  readonly restarts: boolean
  /** Of servers in the configuration file that were started for all workers, by name. */
  readonly addresses: Readonly<Record<string, string>>
}

/** What runs the scripts, started if it is ours to start. */
export interface SiteBackend extends BackendFacts {
  stop(): Promise<void>
}

/** Indexes of a site with and without PHP. */
const INDEXES: readonly string[] = ['index.php', 'index.html']

/** Takes the backend that the command names, else the first PHP that there is. */
export async function openBackend(command: ServeCommand, log: Logger): Promise<SiteBackend> {
  const { config, server } = command
  if (config !== null) return await openConfigured(command, { config, log })
  if (server !== null) {
    return {
      label: server,
      description: `the FastCGI server at ${server}`,
      address: server,
      restarts: false,
      addresses: {},
      stop: () => Promise.resolve(),
    }
  }
  const php = await startServer({
    root: rootOf(command),
    ...(command.php !== null && { php: command.php }),
    log: withoutNews(log),
  })
  const reason = command.php === null ? ' (there is no php-fpm and no php-cgi)' : ''
  return {
    label: php.name,
    description: php.program === null ? `the ${php.name}${reason}` : `${php.name} (${php.program})`,
    address: php.address,
    restarts: true,
    addresses: {},
    stop: () => php.stop(),
  }
}

/** The middleware starts the servers of a file by itself; for several workers they are started once, here. */
async function openConfigured(
  command: ServeCommand,
  { config, log }: { readonly config: string; readonly log: Logger },
): Promise<SiteBackend> {
  const started: StartedServer[] = []
  const stop = async (): Promise<void> => void (await Promise.all(started.map((server) => server.stop())))
  const { servers = [] } = readConfig(config).options
  try {
    for (const { name, command: program, processes } of command.workers > 1 ? servers : []) {
      if (program === undefined) continue
      const options = { name, command: program, root: rootOf(command), log: withoutNews(log) }
      started.push(await startServer({ ...options, ...(processes !== undefined && { processes }) }))
    }
  } catch (error) {
    await stop()
    throw error
  }
  const addresses = Object.fromEntries(started.map(({ name, address }) => [name, address]))
  return { label: null, description: `the servers of ${config}`, address: null, restarts: false, addresses, stop }
}

/** The middleware in front of a backend. @throws OptionError, ConfigError */
export function createHandler(command: ServeCommand, backend: BackendFacts, logger: Logger): FastCgiHandler {
  const { config, frontController } = command
  const given: FastCgiOptions = { ...(frontController !== null && { frontController }), logger }
  const defaults: FastCgiOptions = { static: true, index: INDEXES, root: rootOf(command) }
  if (backend.address !== null) {
    return fastcgi({ ...defaults, ...given, server: { address: backend.address, restarts: backend.restarts } })
  }
  const { options, warnings } = readConfig(config ?? '')
  // Said once, not by every worker.
  if (cluster.isPrimary) for (const warning of warnings) logger.warn(warning)
  const root = command.root ?? options.root ?? rootOf(command)
  return fastcgi({ ...defaults, ...options, ...given, root, ...startedServers(options, backend) })
}

function startedServers({ servers }: FastCgiOptions, { addresses }: BackendFacts): FastCgiOptions {
  if (servers === undefined) return {}
  return {
    servers: servers.map(({ command, processes, ...server }) => {
      const address = addresses[server.name]
      if (address !== undefined) return { ...server, address, restarts: true }
      return { ...server, ...(command !== undefined && { command }), ...(processes !== undefined && { processes }) }
    }),
  }
}

/** For people: where the files are. */
export function describeRoot(command: ServeCommand): string {
  const root = rootOf(command)
  const path = relative('.', root) || '.'
  return path.startsWith('..') ? root : path
}

/** The document root, absolute. */
export function rootOf({ root }: ServeCommand): string {
  return root ?? resolve('.')
}

/** That a backend has started is told with the URL. */
function withoutNews(log: Logger): Logger {
  return {
    error: (message) => log.error(message),
    warn: (message) => log.warn(message),
    info: () => undefined,
  }
}
