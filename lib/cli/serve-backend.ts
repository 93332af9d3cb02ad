import { relative, resolve } from 'node:path'
import { type FastCgiOptions, type Logger, startServer } from '../index.ts'
import type { ServeCommand } from './serve-command.ts'
import type { SiteBackend } from './serve-setup.ts'

/** Indexes of a site with and without PHP. */
const INDEXES: readonly string[] = ['index.php', 'index.html']

/** Takes the server that the command names, else the first PHP that there is. */
export async function openBackend(command: ServeCommand, log: Logger): Promise<SiteBackend> {
  const { server, php: program } = command
  if (server !== null) {
    return {
      label: server,
      description: `the FastCGI server at ${server}`,
      options: { ...defaultOptions(command), ...givenOptions(command), server },
      follow: () => null,
      stop: () => Promise.resolve(),
    }
  }
  const php = await startServer({
    root: rootOf(command),
    ...(program !== null && { php: program }),
    log: withoutNews(log),
  })
  const reason = program === null ? ' (there is no php-fpm and no php-cgi)' : ''
  return {
    label: php.name,
    description: php.program === null ? `the ${php.name}${reason}` : `${php.name} (${php.program})`,
    options: {
      ...defaultOptions(command),
      ...givenOptions(command),
      server: { address: php.address, restarts: true },
    },
    follow: () => null,
    stop: () => php.stop(),
  }
}

/** The options of a configuration file, with those of the command line. */
export function configuredOptions(command: ServeCommand, options: FastCgiOptions): FastCgiOptions {
  const root = command.root ?? options.root ?? rootOf(command)
  return { ...defaultOptions(command), ...options, ...givenOptions(command), root }
}

function defaultOptions(command: ServeCommand): FastCgiOptions {
  return { static: true, index: INDEXES, root: rootOf(command) }
}

function givenOptions({ frontController }: ServeCommand): FastCgiOptions {
  return frontController === null ? {} : { frontController }
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
export function withoutNews(log: Logger): Logger {
  return {
    error: (message) => log.error(message),
    warn: (message) => log.warn(message),
    info: () => undefined,
  }
}
