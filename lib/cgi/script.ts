import { FastCgiError } from '../errors.ts'
import type { DocumentRoot } from './document-root.ts'
import type { DecodedPath } from './path.ts'
import { quoted } from './quotation.ts'

/** The program that answers a request. Byte strings. */
export interface Script {
  /** Inside the mount, decoded; empty where the program is the whole mount. */
  readonly scriptName: string
  /** Empty, or begins with `/`. */
  readonly pathInfo: string
  readonly scriptFilename: string
  /** Empty where the location has no root. */
  readonly documentRoot: string
}

/** A path cut behind a script's name. */
export interface ScriptSplit {
  readonly scriptName: string
  readonly pathInfo: string
}

/**
 * Cuts a path behind its first segment that ends in a script extension; `from` is where the search goes on (the length of
 * an earlier scriptName). The comparison is of bytes, without case or Unicode folding: a fold that changes the length of a
 * path has cut it in the wrong place elsewhere (CVE-2026-27590 and CVE-2026-45135, Caddy).
 */
export function splitScript(path: string, extensions: readonly string[], from = 0): ScriptSplit | null {
  let start = from
  while (start < path.length) {
    const slash = path.indexOf('/', start + 1)
    const end = slash === -1 ? path.length : slash
    for (const extension of extensions) {
      if (end - start <= extension.length || !path.endsWith(extension, end)) continue
      return { scriptName: path.slice(0, end), pathInfo: path.slice(end) }
    }
    start = end
  }
  return null
}

/** Where scripts are looked for. */
export interface ScriptPlace {
  readonly extensions: readonly string[]
  readonly files: DocumentRoot
  /** False: the backend has other disks, the extension alone decides. */
  readonly checkLocal: boolean
}

/** The script that a path names, where that is known without a look at the disk; null: ask {@link locateScript}. */
export function recallScript(path: string, { extensions, files, checkLocal }: ScriptPlace): Script | null {
  const split = splitScript(path, extensions)
  if (split === null) return null
  if (!checkLocal) return scriptOf(split, files.name(split.scriptName))
  const file = files.recall(split.scriptName)
  return file === null ? null : scriptOf(split, file)
}

/** The script that a path names, or null. A directory that is called like a script is passed over. */
export async function locateScript(path: string, place: ScriptPlace): Promise<Script | null> {
  const { extensions, files, checkLocal } = place
  let split = splitScript(path, extensions)
  if (!checkLocal) return split === null ? null : scriptOf(split, files.name(split.scriptName))
  while (split !== null) {
    const found = await files.find(split.scriptName)
    if (found.kind === 'file') return scriptOf(split, found)
    if (found.kind !== 'directory') return null
    split = splitScript(path, extensions, split.scriptName.length)
  }
  return null
}

function scriptOf(split: ScriptSplit, name: { readonly filename: string; readonly root: string }): Script {
  const { scriptName, pathInfo } = split
  return { scriptName, pathInfo, scriptFilename: name.filename, documentRoot: name.root }
}

/** What one program for a whole location is told. */
export interface ProgramPlace {
  /** The literal beginning of the route as it stands in the path (bytes), without a slash at its end. */
  readonly fixed: string
  readonly scriptFilename: string
  readonly documentRoot: string
  /** The path was made up for a mount that the client wrote without a slash. */
  readonly atMount: boolean
}

/**
 * The program of a location that has `scriptFilename`: nothing on disk is looked at. PATH_INFO keeps repeated slashes as
 * the client wrote them, but never dot segments.
 */
export function programScript(path: DecodedPath, place: ProgramPlace): Script {
  const { fixed, scriptFilename, documentRoot } = place
  const whole = /\/\.\.?(?:\/|$)/.test(path.decoded) || !path.decoded.startsWith(fixed) ? path.path : path.decoded
  const pathInfo = place.atMount ? '' : whole.slice(fixed.length)
  return { scriptName: fixed, pathInfo, scriptFilename, documentRoot }
}

/**
 * Refuses a parameter of the route that could, in a program's file name, name something outside of its own segment.
 * @throws FastCgiError ERR_FCGI_SCRIPT_HIDDEN
 */
export function assertOneSegment(name: string, value: string): void {
  if (!value.includes('/') && isDescending(value)) return
  throw outOfPlace(name, value, 'ScriptFilename')
}

/** A leading dot could, with its neighbour, become `..`. */
function isDescending(segment: string): boolean {
  return !segment.startsWith('.') && !segment.includes('..') && !/[\\\0]/.test(segment)
}

/** Variables by which PHP finds what it runs; a client's words may descend in them, and no more. */
const FILE_VARIABLES: ReadonlySet<string> = new Set(['SCRIPT_FILENAME', 'DOCUMENT_ROOT', 'PATH_TRANSLATED'])

/** Variables that are ini settings to PHP (php-fpm.md 15), where `;`, `=`, quotes, line ends and colons mean something. */
const SETTING_VARIABLES: ReadonlySet<string> = new Set(['PHP_VALUE', 'PHP_ADMIN_VALUE'])

/**
 * Refuses a parameter of the route that could, in one of the operator's variables, change which file runs or with which settings.
 * @throws FastCgiError ERR_FCGI_SCRIPT_HIDDEN
 */
export function assertParameterFits(variable: string, name: string, value: string): void {
  if (FILE_VARIABLES.has(variable) && !value.split('/').every(isDescending)) throw outOfPlace(name, value, variable)
  if (SETTING_VARIABLES.has(variable) && !/^[\p{L}\p{N}_-]*$/u.test(value)) throw outOfPlace(name, value, variable)
}

function outOfPlace(name: string, value: string, place: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_SCRIPT_HIDDEN', {
    detail: `The route's parameter ":${name}" would leave its place in ${place}: ${quoted(value)}`,
  })
}
