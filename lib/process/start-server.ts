import { FastCgiError } from '../errors.ts'
import { splitCommandLine } from './command-line.ts'
import { ManagedServer, type ProcessLog } from './managed-server.ts'
import { findPhp, findProgram, type PhpProgram, phpProgram } from './programs.ts'
import { phpCommand } from './recipe.ts'

/** What to start, and for what. */
export interface StartServerOptions {
  /** In the log. Default `php-fpm`, `php-cgi` or `embedded PHP`. */
  readonly name?: string
  /** As `command` of a server: a command line or a list, `auto` for the first of php-fpm, php-cgi and the embedded PHP. Default `auto`. */
  readonly command?: string | readonly string[]
  /** Instead of `command`: a php-fpm or php-cgi by its path or name, or `embedded`. */
  readonly php?: string
  /** The document root: where we are root, PHP runs as its owner. */
  readonly root?: string
  /** Default: what suits the program and the machine. */
  readonly processes?: number
  /** Default: no log. */
  readonly log?: ProcessLog
}

/** A FastCGI server of our own that takes connections. It does not outlive this process. */
export interface StartedServer {
  readonly name: string
  /** Its program; null: the embedded PHP has none. */
  readonly program: string | null
  /** For `server` in this process and in others: the workers of a cluster share it. */
  readonly address: string
  stop(): Promise<void>
}

/** How often a server that was given up is tried again, at most; milliseconds. */
const REVIVAL = 1_000

/**
 * Starts a FastCGI server, watched by a supervisor that starts it again when it ends. `fastcgi()` does the same by itself; this is
 * for a cluster, whose primary starts what the workers share.
 * @throws FastCgiError ERR_FCGI_CONNECT when there is no such program, or it does not start; OptionError for a malformed command
 */
export async function startServer(options: StartServerOptions = {}): Promise<StartedServer> {
  const { processes = null, root = null, log = null } = options
  const { command, label, program } = chosen(options)
  const name = options.name ?? label
  const server = new ManagedServer({ name, command, processes, root, log })
  try {
    await server.start()
  } catch (error) {
    await server.stop()
    throw error
  }
  const revival = setInterval(() => {
    if (!server.running) server.start().catch(() => undefined) // it is in the log
  }, REVIVAL).unref()
  return {
    name,
    program,
    address: server.address,
    stop(): Promise<void> {
      clearInterval(revival)
      return server.stop()
    },
  }
}

/** A command with a name for people. */
interface Chosen {
  readonly command: readonly string[]
  readonly label: string
  readonly program: string | null
}

function chosen({ command = 'auto', php }: StartServerOptions): Chosen {
  if (php !== undefined) return chosenPhp(thisPhp(php))
  if (command === 'auto') return chosenPhp(anyPhp())
  const words = typeof command === 'string' ? splitCommandLine(command) : command
  const [program = ''] = words
  return { command: words, label: program, program }
}

function chosenPhp(php: PhpProgram): Chosen {
  const command = phpCommand(php)
  if (php.kind === 'embedded') return { command, label: 'embedded PHP', program: null }
  return { command, label: php.kind, program: php.path }
}

function anyPhp(): PhpProgram {
  const found = findPhp()
  if (found !== null) return found
  const install = 'install php-fpm or php-cgi (apt-get install php-fpm, brew install php)'
  throw noServer(`There is no PHP here: ${install}, or PHP for Node (npm install @php-wasm/node-8-4)`)
}

function thisPhp(name: string): PhpProgram {
  if (name === 'embedded') return { kind: 'embedded' }
  const path = findProgram(name)
  if (path === null) throw noServer(`There is no program ${name} that may be run`)
  const php = phpProgram(path)
  if (php !== null) return php
  throw noServer(`${path} is neither a php-fpm nor a php-cgi by its name, and no other PHP speaks FastCGI`)
}

function noServer(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_CONNECT', { detail })
}
