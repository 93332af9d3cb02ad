import { join } from 'node:path'

/** What a php-fpm of ours is told. */
export interface PhpFpmConfig {
  /** Of the user that PHP runs as. */
  readonly sessions: string
  /** `pm.max_children`. */
  readonly processes: number
  /** Null: whoever we are. */
  readonly user: { readonly uid: number; readonly gid: number } | null
}

/**
 * The address that names the inherited socket for php-fpm. It removes the path of its socket when it ends, so this is one that
 * never can be there.
 */
const INHERITED = '/dev/null/inherited'

/** The variable by which php-fpm hands its sockets to itself when it reloads: ADDRESS=DESCRIPTOR. */
export const INHERITED_SOCKET: Readonly<Record<string, string>> = { FPM_SOCKETS: `${INHERITED}=3` }

/** The folder for PHP's sessions, which php-fpm does not make itself. */
export function sessionFolder(directory: string): string {
  return join(directory, 'sessions')
}

/** The php-fpm.conf of a php-fpm that serves nobody but us. */
export function phpFpmConfig({ sessions, processes, user }: PhpFpmConfig): string {
  return [
    '[global]',
    'daemonize = no',
    // --force-stderr sends it to us.
    'error_log = /dev/null',
    'log_level = warning',
    'log_limit = 8192',
    '[express-fastcgi]',
    ...(user === null ? [] : [`user = ${user.uid}`, `group = ${user.gid}`]),
    `listen = ${INHERITED}`,
    // As many as were asked for, at once: the children share what they do not write.
    'pm = static',
    `pm.max_children = ${processes}`,
    'catch_workers_output = yes',
    'decorate_workers_output = no',
    // The environment of the Node process is where a developer sets what an application reads.
    'clear_env = no',
    `php_value[session.save_path] = "${sessions}"`,
    // Debian clears its own folder by cron and switches this off.
    'php_value[session.gc_probability] = 1',
    '',
  ].join('\n')
}
