import { statSync } from 'node:fs'
import { FastCgiError } from '../errors.ts'
import { type Address, formatAddress } from './address.ts'

/** The code of one of Node's system errors; '' for anything else. */
function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** A unix socket whose backlog is full answers so at once: the backend is there and busy (php-fpm.md 14). */
export function isBacklogFull(error: unknown): boolean {
  return systemCode(error) === 'EAGAIN'
}

/** What it means that a connection could not be opened, and what mends it. */
export function connectError(error: unknown, address: Address): FastCgiError {
  return new FastCgiError('ERR_FCGI_CONNECT', { detail: explain(systemCode(error), error, address), cause: error })
}

/** The connection was lost while a request was on it, before its answer was complete. */
export function lostConnectionError(
  error: Error | null,
  { address, answered }: { readonly address: Address; readonly answered: boolean },
): FastCgiError {
  const how = error === null ? 'closed the connection' : `cut the connection (${systemCode(error) || error.message})`
  const when = answered ? 'in the middle of its answer' : 'without an answer'
  const detail = `The backend at ${formatAddress(address)} ${how} ${when}: did the process die? Its own log tells.`
  const code = answered ? 'ERR_FCGI_TRUNCATED' : 'ERR_FCGI_RESET'
  return new FastCgiError(code, { detail, cause: error ?? undefined })
}

function explain(code: string, error: unknown, address: Address): string {
  const at = formatAddress(address)
  switch (code) {
    case 'ENOENT':
      return `No socket ${at}: start the backend (systemctl start php-fpm) or correct the address`
    case 'ECONNREFUSED':
      return `Nothing listens at ${at}: start the backend (systemctl start php-fpm) or correct the address`
    case 'EACCES':
    case 'EPERM':
      return `No permission to connect to ${at}${socketOwner(address)}: set listen.owner, listen.group and listen.mode of the pool`
    case 'ENOTSOCK':
      return `${at} is a file and no socket: correct the address`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name of ${at} cannot be resolved: correct it or look after the DNS`
    case 'EMFILE':
    case 'ENFILE':
      return `No file descriptor left to connect to ${at}: raise the limit (ulimit -n) or lower maxConnections`
    default:
      // Without a message: several addresses of one name were tried (AggregateError).
      return `Cannot connect to ${at}: ${(error instanceof Error && error.message) || code || String(error)}`
  }
}

/** Who may use the socket and who we are, as `ls -l` and `id` would say it. */
function socketOwner(address: Address): string {
  if (address.kind !== 'unix') return ''
  const us = `we are uid ${process.getuid?.()}, gid ${process.getgid?.()}`
  const stat = tryStat(address.path)
  if (stat === null) return ` (${us}; a directory above it is closed to us)`
  const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
  return ` (owner ${stat.uid}, group ${stat.gid}, mode ${mode}; ${us})`
}

function tryStat(path: string): { readonly uid: number; readonly gid: number; readonly mode: number } | null {
  try {
    return statSync(path)
  } catch {
    return null // the message says it: a directory above is closed to us
  }
}
