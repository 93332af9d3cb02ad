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
  // A leading dot could, with its neighbour, become `..`.
  if (!value.startsWith('.') && !value.includes('..') && !/[/\\\0]/.test(value)) return
  throw new FastCgiError('ERR_FCGI_SCRIPT_HIDDEN', {
    detail: `The route's parameter ":${name}" would leave its place in ScriptFilename: ${quoted(value)}`,
  })
}
