import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, extname, join } from 'node:path'
import { type Address, formatAddress } from '../client/address.ts'
import { OptionError } from '../errors.ts'
import { INHERITED_SOCKET, phpFpmConfig, sessionFolder } from './php-fpm-config.ts'
import { EMBEDDED_MAIN, findProgram, isEmbedded, type PhpProgram, phpProgram } from './programs.ts'
import type { Recipe } from './supervisor-messages.ts'

/** A command that can be started. */
export interface CheckedCommand {
  /** Absolute. */
  readonly program: string
  readonly parameters: readonly string[]
  /** Null: some other FastCGI program. */
  readonly kind: PhpProgram['kind'] | null
}

/** How a backend gets its socket: as a file descriptor, or, where there is no such thing (Windows), it listens on a port. */
export type Transport = 'descriptor' | 'tcp'

/** What a recipe is made from. */
export interface RecipeOptions {
  /** Processes, or php-fpm's children; null: what suits the machine. */
  readonly processes: number | null
  /** The document root, if there is one: its owner is who PHP runs as where we are root. */
  readonly root: string | null
  /** Private to this backend. */
  readonly directory: string
  readonly address: Address
}

/** php-fpm's options that name a configuration: it gets one from us. */
const CONFIG_OPTION = /^(?:-y|--fpm-config)/

/** The command that starts a PHP that was found. */
export function phpCommand(php: PhpProgram): readonly [program: string, ...parameters: string[]] {
  if (php.kind !== 'embedded') return [php.path]
  // From sources the loader of TypeScript goes along.
  return [process.execPath, ...(extname(EMBEDDED_MAIN) === '.ts' ? process.execArgv : []), EMBEDDED_MAIN]
}

/**
 * Checks a command without starting anything.
 * @throws OptionError when there is no such program, or it cannot be started in this way
 */
export function checkCommand(command: readonly string[], transport: Transport): CheckedCommand {
  const [name = '', ...parameters] = command
  const program = findProgram(name)
  if (program === null) throw new OptionError(`command: there is no program ${JSON.stringify(name)} that may be run`)
  const kind = isEmbedded(parameters) ? 'embedded' : (phpProgram(program)?.kind ?? null)
  if (kind === 'php-fpm' && parameters.some((parameter) => CONFIG_OPTION.test(parameter))) {
    const what = `command: ${basename(program)} gets its configuration from us, -y cannot be given`
    throw new OptionError(`${what}; start it yourself and give its address if it has one of its own`)
  }
  if (transport === 'tcp' && kind !== 'php-cgi' && kind !== 'embedded') {
    const what = `command: on this system only php-cgi and the embedded PHP can be started here, not ${basename(program)}`
    throw new OptionError(`${what}; start it yourself and give its address`)
  }
  return { program, parameters, kind }
}

/** How a command is started as a FastCGI application; writes what it needs into the directory. */
export function createRecipe(command: CheckedCommand, options: RecipeOptions): Recipe {
  switch (command.kind) {
    case 'php-fpm':
      return phpFpmRecipe(command, options)
    case 'php-cgi':
      return phpCgiRecipe(command, options)
    case 'embedded':
      return embeddedRecipe(command, options)
    default:
      return plainRecipe(command, options.processes ?? 1)
  }
}

function plainRecipe({ program, parameters }: CheckedCommand, count: number): Recipe {
  return { program, parameters, environment: process.env, user: null, count, socket: 0, stopSignal: 'SIGTERM' }
}

function phpFpmRecipe(command: CheckedCommand, { processes, root, directory }: RecipeOptions): Recipe {
  const owner = ownerOf(root)
  const sessions = sessionFolder(directory)
  mkdirSync(sessions, { mode: 0o700 })
  // The directory stays ours: php-fpm, as root, reads its configuration from there at every start.
  if (owner !== null && owner.uid !== 0) {
    chownSync(sessions, owner.uid, owner.gid)
    chownSync(directory, -1, owner.gid)
    chmodSync(directory, 0o710)
  }
  const config = join(directory, 'php-fpm.conf')
  const text = phpFpmConfig({ sessions, processes: processes ?? defaultProcesses(), user: owner })
  writeFileSync(config, text, { mode: 0o600 })
  const own = ['--nodaemonize', '--force-stderr', '--fpm-config', config]
  return {
    ...plainRecipe(command, 1),
    parameters: [...own, ...(owner?.uid === 0 ? ['--allow-to-run-as-root'] : []), ...command.parameters],
    environment: { ...process.env, ...INHERITED_SOCKET },
    socket: 3,
    stopSignal: 'SIGQUIT',
  }
}

function phpCgiRecipe(command: CheckedCommand, { processes, root, address }: RecipeOptions): Recipe {
  const count = processes ?? defaultProcesses()
  const owner = ownerOf(root)
  const recipe = { ...plainRecipe(command, count), user: owner?.uid === 0 ? null : owner }
  // One process each, so that all of them are watched; on a port the first one has to have the others.
  if (address.kind === 'unix') return { ...recipe, environment: { ...process.env, PHP_FCGI_CHILDREN: undefined } }
  return {
    ...recipe,
    parameters: [...command.parameters, '-b', formatAddress(address)],
    environment: { ...process.env, PHP_FCGI_CHILDREN: String(count) },
    count: 1,
    socket: null,
  }
}

/** Its processes are threads. */
function embeddedRecipe(command: CheckedCommand, { processes, directory, address }: RecipeOptions): Recipe {
  const workers = processes === null ? [] : ['--workers', String(processes)]
  const own = [...workers, '--directory', join(directory, 'php')]
  const recipe = plainRecipe(command, 1)
  if (address.kind === 'unix') return { ...recipe, parameters: [...command.parameters, ...own] }
  return { ...recipe, parameters: [...command.parameters, ...own, '--listen', formatAddress(address)], socket: null }
}

/** Where we are root, PHP runs as the one whose files it serves; null: as whoever we are. */
function ownerOf(root: string | null): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const stat = root === null ? undefined : statSync(root, { throwIfNoEntry: false })
  return { uid: stat?.uid ?? 0, gid: stat?.gid ?? 0 }
}

function defaultProcesses(): number {
  return Math.max(4, 2 * availableParallelism())
}
