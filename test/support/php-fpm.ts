import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Backend, startBackend, startOnFreePort } from './backend.ts'
import { phpIni } from './php-ini.ts'
import { privateDirectory } from './private-directory.ts'
import { rawGet } from './raw-fastcgi.ts'
import { pathOf } from './require-backend.ts'

/** What php-fpm itself says about its pool. */
interface PhpFpmStatus {
  readonly activeProcesses: number
  readonly idleProcesses: number
  readonly acceptedConnections: number
  readonly listenQueue: number
}

/** A php-fpm of our own. */
export interface PhpFpm extends Backend {
  /** Asked over a socket of its own, so that it answers while every child is busy. */
  status(): Promise<PhpFpmStatus>
}

/** How the php-fpm is configured. */
export interface PhpFpmOptions {
  /** Default `unix`. */
  readonly listen?: 'unix' | 'tcp'
  /** Listens there: instead of a socket or a port of its own. */
  readonly address?: string
  /** Fixed number of children. Default 4. */
  readonly children?: number
  /** `listen.backlog`. Default 511. */
  readonly backlog?: number
  /** More php.ini settings. */
  readonly ini?: Readonly<Record<string, string>>
  /** More lines for the pool, as `pm.max_requests = 5`. */
  readonly poolDirectives?: readonly string[]
  /** More lines for `[global]`, as `process_control_timeout = 5s`. */
  readonly globalDirectives?: readonly string[]
}

const STATUS_PATH = '/fpm-status'

function configuration(directory: string, listen: string, options: PhpFpmOptions): string {
  const children = options.children ?? 4
  // Started by root the pool must name its user; started by anybody else the directives would only be warned about.
  const user = process.getuid?.() === 0 ? ['user = root', 'group = root'] : []
  return [
    '[global]',
    'error_log = /proc/self/fd/2',
    'daemonize = no',
    'log_limit = 8192',
    ...(options.globalDirectives ?? []),
    '[www]',
    ...user,
    `listen = ${listen}`,
    `listen.backlog = ${options.backlog ?? 511}`,
    'pm = static',
    `pm.max_children = ${children}`,
    `pm.status_path = ${STATUS_PATH}`,
    `pm.status_listen = ${join(directory, 'status.sock')}`,
    'catch_workers_output = yes',
    'decorate_workers_output = no',
    'clear_env = yes',
    ...(options.poolDirectives ?? []),
    '',
  ].join('\n')
}

async function start(listenOn: (directory: string) => string, options: PhpFpmOptions): Promise<Backend> {
  const directory = privateDirectory('fpm')
  const address = listenOn(directory.path)
  writeFileSync(join(directory.path, 'php-fpm.conf'), configuration(directory.path, address, options))
  writeFileSync(join(directory.path, 'php.ini'), phpIni(directory.path, options.ini))
  return startBackend({
    file: pathOf('php-fpm'),
    arguments: [
      '--nodaemonize',
      '--allow-to-run-as-root',
      '--fpm-config',
      join(directory.path, 'php-fpm.conf'),
      '-c',
      join(directory.path, 'php.ini'),
    ],
    address,
    directory,
  })
}

async function status(directory: string): Promise<PhpFpmStatus> {
  const page = await rawGet(join(directory, 'status.sock'), STATUS_PATH, 'json')
  const values = JSON.parse(page.slice(page.indexOf('{'))) as Record<string, unknown>
  return {
    activeProcesses: Number(values['active processes']),
    idleProcesses: Number(values['idle processes']),
    acceptedConnections: Number(values['accepted conn']),
    listenQueue: Number(values['listen queue']),
  }
}

function startWhereAsked(options: PhpFpmOptions): Promise<Backend> {
  const { address, listen } = options
  if (address !== undefined) return start(() => address, options)
  if (listen === 'tcp') return startOnFreePort((port) => start(() => `127.0.0.1:${port}`, options))
  return start((directory) => join(directory, 'php.sock'), options)
}

/** Starts a php-fpm with a configuration of its own, as the current user, on a private socket or a free port unless told where. */
export async function startPhpFpm(options: PhpFpmOptions = {}): Promise<PhpFpm> {
  const backend = await startWhereAsked(options)
  return Object.assign(backend, { status: () => status(backend.directory) })
}
