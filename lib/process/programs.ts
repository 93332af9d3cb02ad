import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, delimiter, extname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const IS_WINDOWS = process.platform === 'win32'

/** Where distributions put daemons that are in no user's PATH. */
const DAEMON_FOLDERS: readonly string[] = IS_WINDOWS
  ? []
  : ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/sbin']

/** A PHP that can be started as a FastCGI application. */
export type PhpProgram =
  | { readonly kind: 'php-fpm' | 'php-cgi'; readonly path: string }
  /** PHP compiled to WebAssembly, which runs in Node. */
  | { readonly kind: 'embedded' }

/** Names under which a SAPI of PHP is installed: `php-fpm`, Debian's `php-fpm8.2`, Alpine's `php-fpm83`, Arch's `php-cgi`. */
const SAPI_NAMES = {
  'php-fpm': /^php-fpm(?:\d+(?:\.\d+)?)?$/,
  'php-cgi': /^php-cgi(?:\d+(?:\.\d+)?)?(?:\.exe)?$/,
} as const

/** The package of the embedded PHP: optional, as it is large and GPL. */
const EMBEDDED_PACKAGE = '@php-wasm/node-8-4'

/** The program of the embedded PHP: a file beside us, as TypeScript or as JavaScript. */
export const EMBEDDED_MAIN: string = fileURLToPath(
  new URL(`../embedded/main${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)

/**
 * The first PHP that there is: php-fpm, which no Windows has, then php-cgi, then the embedded one.
 * @param path folders to search, as in the environment variable PATH
 */
export function findPhp(path: string = process.env.PATH ?? ''): PhpProgram | null {
  const folders = [...foldersOf(path), ...daemonFolders(path)]
  for (const kind of ['php-fpm', 'php-cgi'] as const) {
    const found = findSapi(SAPI_NAMES[kind], folders)
    if (found !== null) return { kind, path: found }
  }
  return hasEmbeddedPhp() ? { kind: 'embedded' } : null
}

/** Which SAPI a PHP binary is, by its name; null where the name says neither. */
export function phpProgram(path: string): PhpProgram | null {
  const name = basename(path)
  if (SAPI_NAMES['php-fpm'].test(name)) return { kind: 'php-fpm', path }
  return SAPI_NAMES['php-cgi'].test(name) ? { kind: 'php-cgi', path } : null
}

/** Whether the parameters of a command name our embedded PHP. */
export function isEmbedded(parameters: readonly string[]): boolean {
  return parameters.includes(EMBEDDED_MAIN)
}

/** The absolute path of a program, by its name or path; null: there is none that may be run. */
export function findProgram(name: string, path: string = process.env.PATH ?? ''): string | null {
  const isPath = name.includes('/') || isAbsolute(name) || (IS_WINDOWS && name.includes('\\'))
  const names = IS_WINDOWS ? [name, `${name}.exe`] : [name]
  const places = isPath ? names : foldersOf(path).flatMap((folder) => names.map((one) => join(folder, one)))
  const found = places.find(isExecutable)
  return found === undefined ? null : resolve(found)
}

function foldersOf(path: string): readonly string[] {
  return path.split(delimiter).filter((folder) => folder !== '')
}

/** Someone who set PATH to nothing wants nothing found. */
function daemonFolders(path: string): readonly string[] {
  return path === '' ? [] : DAEMON_FOLDERS
}

/** In the first folder that has one: the plain name before one with a version, the highest version first. */
function findSapi(pattern: RegExp, folders: readonly string[]): string | null {
  for (const folder of folders) {
    const names = listFolder(folder).filter((name) => pattern.test(name))
    names.sort((a, b) => Number(/\d/.test(a)) - Number(/\d/.test(b)) || compareVersions(b, a))
    const found = names.map((name) => join(folder, name)).find(isExecutable)
    if (found !== undefined) return found
  }
  return null
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** Beside us, or in the project of the working directory where npx runs us from a folder of its own. */
function hasEmbeddedPhp(): boolean {
  try {
    import.meta.resolve(EMBEDDED_PACKAGE)
    return true
  } catch {
    return isInProject()
  }
}

function isInProject(): boolean {
  try {
    createRequire(join(process.cwd(), 'package.json')).resolve(EMBEDDED_PACKAGE)
    return true
  } catch {
    return false // not installed: that is the answer
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // a folder of PATH that is not there holds no program
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // not there or not ours to run: that is the answer
  }
}
