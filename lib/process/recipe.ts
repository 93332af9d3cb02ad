import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OptionError } from '../errors.ts'
import { phpFpmConfig, sessionFolder } from './php-fpm-config.ts'
import { giveDirectory } from './private-directory.ts'
import { findProgram, type PhpProgram, phpProgram } from './programs.ts'

/** How a backend is started. */
export interface Recipe {
  readonly program: string
  readonly parameters: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Processes of the same kind. */
  readonly count: number
  /** True: it accepts on file descriptor 0; false: it makes the socket itself. */
  readonly inheritSocket: boolean
}

/** What a recipe is made from. */
export interface RecipeOptions {
  readonly command: readonly [program: string, ...parameters: string[]]
  /** Processes, php-fpm's children; undefined: what suits the machine. */
  readonly processes: number | undefined
  /** The document root, if there is one: its owner is who PHP runs as where we are root. */
  readonly root: string | null
  /** Private to this backend. */
  readonly directory: string
  readonly socket: string
}

/** php-fpm's options that name a configuration: it gets one from us. */
const CONFIG_OPTIONS: readonly string[] = ['-y', '--fpm-config']

/** The command that starts a PHP that was found. */
export function phpCommand(php: PhpProgram): readonly [string, ...string[]] {
  if (php.kind !== 'embedded') return [php.path]
  const here = fileURLToPath(import.meta.url)
  const main = fileURLToPath(new URL(`../embedded/main${extname(here)}`, import.meta.url))
  // From sources the loader of TypeScript goes along.
  return [process.execPath, ...(extname(here) === '.ts' ? process.execArgv : []), main]
}

/**
 * How a command is started as a FastCGI application.
 * @throws OptionError when there is no such program, or its command line fights ours
 */
export function createRecipe(options: RecipeOptions): Recipe {
  const [name, ...parameters] = options.command
  const program = findProgram(name)
  if (program === null) throw new OptionError(`command: there is no program ${JSON.stringify(name)} that may be run`)
  const kind = phpProgram(program)?.kind
  if (kind === 'php-fpm') return phpFpmRecipe(program, parameters, options)
  const count = options.processes ?? (kind === 'php-cgi' ? defaultProcesses() : 1)
  const environment = kind === 'php-cgi' ? { ...process.env, PHP_FCGI_CHILDREN: undefined } : process.env
  return { program, parameters, environment, count, inheritSocket: true }
}

function phpFpmRecipe(program: string, parameters: readonly string[], options: RecipeOptions): Recipe {
  if (parameters.some((parameter) => CONFIG_OPTIONS.includes(parameter))) {
    const what = `command: ${basename(program)} gets its configuration from us, -y cannot be given`
    throw new OptionError(`${what}; start it yourself and give its address if it has one of its own`)
  }
  const { directory, socket } = options
  const isRoot = process.getuid?.() === 0
  const user = isRoot ? ownerOf(options.root) : null
  const config = join(directory, 'php-fpm.conf')
  writeFileSync(config, phpFpmConfig({ directory, socket, processes: options.processes ?? defaultProcesses(), user }))
  mkdirSync(sessionFolder(directory))
  chmodSync(directory, 0o700)
  if (user !== null) for (const path of [directory, sessionFolder(directory)]) giveDirectory(path, user)
  const own = ['--nodaemonize', '--force-stderr', '--fpm-config', config]
  return {
    program,
    parameters: [...own, ...(user?.uid === 0 ? ['--allow-to-run-as-root'] : []), ...parameters],
    environment: process.env,
    count: 1,
    inheritSocket: false,
  }
}

/** Where we are root, PHP runs as the one whose files it serves. */
function ownerOf(root: string | null): { readonly uid: number; readonly gid: number } {
  const stat = root === null ? undefined : statSync(root, { throwIfNoEntry: false })
  return { uid: stat?.uid ?? 0, gid: stat?.gid ?? 0 }
}

function defaultProcesses(): number {
  return Math.max(4, 2 * availableParallelism())
}
