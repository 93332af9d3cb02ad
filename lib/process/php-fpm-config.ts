import { join } from 'node:path'

/** What a php-fpm of ours is told. */
export interface PhpFpmConfig {
  /** Private, of the user that php-fpm runs as. */
  readonly directory: string
  readonly socket: string
  /** `pm.max_children`. */
  readonly processes: number
  /** Null: whoever we are. */
  readonly user: { readonly uid: number; readonly gid: number } | null
}

/** Files under the private directory that PHP writes. */
const SESSION_FOLDER = 'sessions'

/** The folder for PHP's sessions, which php-fpm does not make itself. */
export function sessionFolder(directory: string): string {
  return join(directory, SESSION_FOLDER)
}

/** The php-fpm.conf of a php-fpm that serves nobody but us. */
export function phpFpmConfig({ directory, socket, processes, user }: PhpFpmConfig): string {
  const spare = Math.min(2, processes)
  return [
    '[global]',
    'daemonize = no',
    `error_log = ${join(directory, 'php-fpm.log')}`,
    'log_level = warning',
    'log_limit = 8192',
    '[express-fastcgi]',
    ...(user === null ? [] : [`user = ${user.uid}`, `group = ${user.gid}`, `listen.owner = ${user.uid}`]),
    `listen = ${socket}`,
    'listen.mode = 0600',
    'listen.backlog = 511',
    'pm = dynamic',
    `pm.max_children = ${processes}`,
    `pm.start_servers = ${spare}`,
    'pm.min_spare_servers = 1',
    `pm.max_spare_servers = ${Math.max(spare, Math.ceil(processes / 2))}`,
    'catch_workers_output = yes',
    'decorate_workers_output = no',
    // The environment of the Node process is where a developer sets what an application reads.
    'clear_env = no',
    `php_value[session.save_path] = ${sessionFolder(directory)}`,
    '',
  ].join('\n')
}
