import type { CreateAllowance } from '../backend/allowance.ts'
import { Server } from '../backend/server.ts'
import { OptionError } from '../errors.ts'
import type { Logger, ResolvedOptions, ResolvedServer } from '../options/types.ts'
import { ManagedServer } from '../process/managed-server.ts'
import { findPhp } from '../process/programs.ts'
import { phpCommand } from '../process/recipe.ts'

/** What servers are made with. */
export interface ServerSurroundings {
  readonly log: Logger
  readonly createAllowance: CreateAllowance
}

/** What it is about a server that cannot change while it runs: another identity is another server, whatever its name. */
export function identityOf(server: ResolvedServer, options: ResolvedOptions): string {
  const { name, address, command, processes, idleTimeout } = server
  // An address may be shared among processes, processes of our own have a root to run in.
  const surroundings = command === null ? options.workers : rootOf(server, options)
  return JSON.stringify([name, address, command, processes, String(idleTimeout), surroundings])
}

/** A configured server at run time. Nothing is opened or started before its first request. */
export function createServer(
  server: ResolvedServer,
  options: ResolvedOptions,
  { log, createAllowance }: ServerSurroundings,
): Server {
  const { name, command, processes } = server
  if (command === null) return new Server(server, { log, createAllowance })
  const found = command === 'auto' ? anyPhp() : command
  const root = rootOf(server, options)
  return new Server(server, { log, managed: new ManagedServer({ name, command: found, processes, root, log }) })
}

function rootOf({ name }: ResolvedServer, { locations }: ResolvedOptions): string | null {
  return locations.find(({ servers }) => servers.includes(name))?.root ?? null
}

function anyPhp(): readonly string[] {
  const php = findPhp()
  if (php !== null) return phpCommand(php)
  throw new OptionError(
    'server: there is no PHP here to be started; install php-fpm or php-cgi (apt-get install php-fpm, brew install php), ' +
      'or PHP for Node (npm install @php-wasm/node-8-4), or give the address of one that runs: server: "127.0.0.1:9000"',
  )
}
