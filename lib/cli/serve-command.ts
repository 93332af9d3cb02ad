import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArguments } from './arguments.ts'
import { UsageError } from './usage.ts'

/** What `express-fastcgi serve` was asked for. */
export interface ServeCommand {
  /** Absolute; null: not given. */
  readonly root: string | null
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  readonly frontController: string | null
  /** A configuration file or directory. */
  readonly config: string | null
  /** The configuration is taken over again when it changes. */
  readonly watch: boolean
  /** The address of a FastCGI application that runs already. */
  readonly server: string | null
  /** A PHP binary, or `embedded`. */
  readonly php: string | null
  /** 1: no cluster. */
  readonly workers: number
  readonly open: boolean
}

const OPTIONS = {
  port: { type: 'string' },
  host: { type: 'string' },
  'front-controller': { type: 'string' },
  config: { type: 'string' },
  watch: { type: 'boolean' },
  server: { type: 'string' },
  php: { type: 'string' },
  workers: { type: 'string' },
  open: { type: 'boolean' },
} as const

/** They say where PHP is: one of them is enough. */
const SOURCES = ['config', 'server', 'php'] as const

const MOST_WORKERS = 1024

const NOTHING_TO_WATCH =
  '--watch is for the file of --config: give --config FILE, or leave --watch out, as scripts and static files are read anew anyway'

/**
 * Reads the arguments behind `serve`.
 * @throws UsageError
 */
export function parseServeCommand(args: readonly string[]): ServeCommand {
  const { values, positionals } = parseArguments(args, OPTIONS)
  const [root, ...surplus] = positionals
  if (surplus.length > 0) throw new UsageError(`there is no place for ${surplus.join(' ')}: give one ROOT`)
  const sources = SOURCES.filter((name) => values[name] !== undefined)
  if (sources.length > 1) throw new UsageError(`give one of ${sources.map((name) => `--${name}`).join(' and ')}`)
  if (values.watch === true && values.config === undefined) throw new UsageError(NOTHING_TO_WATCH)
  return {
    root: root === undefined ? null : resolve(root),
    port: wholeNumber('port', values.port ?? '8080', { least: 0, most: 65_535 }),
    host: given('host', values.host) ?? '127.0.0.1',
    frontController: given('front-controller', values['front-controller']) ?? null,
    config: given('config', values.config) ?? null,
    watch: values.watch ?? false,
    server: given('server', values.server) ?? null,
    php: given('php', values.php) ?? null,
    workers: wholeNumber('workers', values.workers ?? '1', { least: 1, most: MOST_WORKERS }),
    open: values.open ?? false,
  }
}

/**
 * What a site cannot do without, looked for before anything is started.
 * @throws Error that says what is not there
 */
export function checkFiles({ root, config, frontController }: ServeCommand): void {
  const folder = root ?? resolve('.')
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Error(`There is no directory ${folder}: ROOT is where the site's files are`)
  }
  // A file may have roots of its own.
  if (frontController === null || (config !== null && root === null)) return
  const script = join(folder, frontController)
  if (statSync(script, { throwIfNoEntry: false })?.isFile() === true) return
  throw new Error(`There is no ${script}: --front-controller is a script under ROOT, such as /index.php`)
}

function given(name: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`--${name} is empty`)
  return text
}

function wholeNumber(name: string, text: string, { least, most }: { least: number; most: number }): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`--${name} takes a whole number from ${least} to ${most}, found ${JSON.stringify(text)}`)
}
