import { parseArgs } from 'node:util'

/** What the command line and the environment say. */
export interface EmbeddedSettings {
  /** `host:port` or the path of a unix socket; null: file descriptor 0 is the listening socket (FastCGI 1.0 section 2.2). */
  readonly listen: string | null
  /** Requests at once, each in a thread with a PHP of its own. */
  readonly workers: number
  /** Requests after which a thread makes place for a new one. */
  readonly maxRequests: number
  /** Where sessions and uploads go; null: a private temporary directory that goes with the program. */
  readonly directory: string | null
  /** php.ini settings over ours. */
  readonly ini: ReadonlyMap<string, string>
}

/** The command line is wrong: said in one line. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** What `--help` prints. */
export const USAGE: string = `Usage: node main.js [options]
  A FastCGI application that runs PHP, compiled to WebAssembly. The listening socket is file descriptor 0.

  --listen ADDRESS      listen on host:port or the path of a unix socket instead
  --workers N           requests at once; default PHP_FCGI_CHILDREN or 2
  --max-requests N      requests that one PHP serves before a new one takes its place; default PHP_FCGI_MAX_REQUESTS or 500
  --directory PATH      sessions and uploads; default: a private temporary directory
  --ini NAME=VALUE      a php.ini setting, as often as needed
  --help
`

const DEFAULT_WORKERS = 2
const DEFAULT_MAX_REQUESTS = 500

/**
 * Reads the command line, and php-cgi's own variables PHP_FCGI_CHILDREN and PHP_FCGI_MAX_REQUESTS. Null: help was asked for.
 * @throws UsageError that says what is allowed
 */
export function parseSettings(args: readonly string[], environment: NodeJS.ProcessEnv): EmbeddedSettings | null {
  const values = parse(args)
  if (values.help === true) return null
  const workers = values.workers ?? environment.PHP_FCGI_CHILDREN
  const maxRequests = values['max-requests'] ?? environment.PHP_FCGI_MAX_REQUESTS
  return {
    listen: values.listen ?? null,
    workers: workers === undefined ? DEFAULT_WORKERS : positive('workers', workers),
    maxRequests: maxRequests === undefined ? DEFAULT_MAX_REQUESTS : positive('max-requests', maxRequests),
    directory: values.directory ?? null,
    ini: new Map((values.ini ?? []).map(iniSetting)),
  }
}

interface Values {
  readonly listen?: string
  readonly workers?: string
  readonly 'max-requests'?: string
  readonly directory?: string
  readonly ini?: readonly string[]
  readonly help?: boolean
}

function parse(args: readonly string[]): Values {
  try {
    return parseArgs({
      args: [...args],
      options: {
        listen: { type: 'string' },
        workers: { type: 'string' },
        'max-requests': { type: 'string' },
        directory: { type: 'string' },
        ini: { type: 'string', multiple: true },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function positive(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`${name} is a whole number from 1 on, found ${JSON.stringify(text)}`)
}

function iniSetting(text: string): readonly [string, string] {
  const [, name, value] = /^([\w.-]+)=([^\r\n]*)$/.exec(text) ?? []
  if (name !== undefined && value !== undefined) return [name, value]
  throw new UsageError(`--ini takes NAME=VALUE, found ${JSON.stringify(text)}`)
}
