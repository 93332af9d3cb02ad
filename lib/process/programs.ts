import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, isAbsolute, join, sep } from 'node:path'

/** Where distributions put daemons that are in no user's PATH. */
const DAEMON_FOLDERS: readonly string[] =
  process.platform === 'win32' ? [] : ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/sbin']

/** A PHP that can be started as a FastCGI application. */
export type PhpProgram =
  | { readonly kind: 'php-fpm' | 'php-cgi'; readonly path: string }
  /** PHP compiled to WebAssembly, which runs in Node. */
  | { readonly kind: 'embedded' }

/** Names under which a SAPI of PHP is installed: `php-fpm`, Debian's `php-fpm8.2`, Fedora's `php83-php-fpm` is a link. */
const SAPI_NAMES = {
  'php-fpm': /^php-fpm(?:\d+(?:\.\d+)?)?$/,
  'php-cgi': /^php-cgi(?:\d+(?:\.\d+)?)?(?:\.exe)?$/,
} as const

/** The packages of the embedded PHP: optional, as they are large and GPL. */
const EMBEDDED_PACKAGES: readonly string[] = ['@php-wasm/universal', '@php-wasm/node-8-4']

/**
 * The first PHP that there is: php-fpm, which no Windows has, then php-cgi, then the embedded one.
 * @param path folders to search, as in the environment variable PATH
 */
export function findPhp(path: string = process.env.PATH ?? ''): PhpProgram | null {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...daemonFolders(path)]
  for (const kind of ['php-fpm', 'php-cgi'] as const) {
    const found = findSapi(SAPI_NAMES[kind], folders)
    if (found !== null) return { kind, path: found }
  }
  return hasEmbeddedPhp() ? { kind: 'embedded' } : null
}

/** Which SAPI a PHP binary is, by its name; null where the name says neither. */
export function phpProgram(path: string): PhpProgram | null {
  const name = path.slice(path.lastIndexOf(sep) + 1)
  if (SAPI_NAMES['php-fpm'].test(name)) return { kind: 'php-fpm', path }
  return SAPI_NAMES['php-cgi'].test(name) ? { kind: 'php-cgi', path } : null
}

/** Someone who set PATH to nothing wants nothing found. */
function daemonFolders(path: string): readonly string[] {
  return path === '' ? [] : DAEMON_FOLDERS
}

/** The plain name before one with a version, the highest version first. */
function findSapi(pattern: RegExp, folders: readonly string[]): string | null {
  for (const folder of folders) {
    const names = listFolder(folder).filter((name) => pattern.test(name))
    names.sort(
      (a, b) => (a.length < 9 ? -1 : 1) - (b.length < 9 ? -1 : 1) || b.localeCompare(a, 'en', { numeric: true }),
    )
    const found = names.map((name) => join(folder, name)).find(isExecutable)
    if (found !== undefined) return found
  }
  return null
}

/** A program by its name or path, or null. */
export function findProgram(name: string, path: string = process.env.PATH ?? ''): string | null {
  if (name.includes('/') || isAbsolute(name)) return isExecutable(name) ? name : null
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null
}

function hasEmbeddedPhp(): boolean {
  const { resolve } = createRequire(import.meta.url)
  try {
    for (const name of EMBEDDED_PACKAGES) resolve(name)
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
