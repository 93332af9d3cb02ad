import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Backend, startBackend, startOnFreePort } from './backend.ts'
import { phpIni } from './php-ini.ts'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** How `php-cgi -b` is started. */
export interface PhpCgiOptions {
  /** Default `tcp`. */
  readonly listen?: 'unix' | 'tcp'
  /** PHP_FCGI_CHILDREN. Default 2; 0: the one process serves itself. */
  readonly children?: number
  /** PHP_FCGI_MAX_REQUESTS, after which a child makes place for a new one. Default PHP's own (500). */
  readonly maxRequests?: number
  readonly ini?: Readonly<Record<string, string>>
}

function start(listenOn: (directory: string) => string, options: PhpCgiOptions): Promise<Backend> {
  const directory = privateDirectory('cgi')
  const address = listenOn(directory.path)
  writeFileSync(join(directory.path, 'php.ini'), phpIni(directory.path, options.ini))
  return startBackend({
    file: pathOf('php-cgi'),
    arguments: ['-c', join(directory.path, 'php.ini'), '-b', address],
    address,
    directory,
    environment: {
      PHP_FCGI_CHILDREN: String(options.children ?? 2),
      ...(options.maxRequests !== undefined && { PHP_FCGI_MAX_REQUESTS: String(options.maxRequests) }),
    },
  })
}

/** Starts `php-cgi -b` on a free port or a private socket. */
export function startPhpCgi(options: PhpCgiOptions = {}): Promise<Backend> {
  if (options.listen === 'unix') return start((directory) => join(directory, 'cgi.sock'), options)
  return startOnFreePort((port) => start(() => `127.0.0.1:${port}`, options))
}
