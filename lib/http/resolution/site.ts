import { DocumentRoot } from '../../cgi/document-root.ts'
import { utf8Bytes } from '../../cgi/path.ts'
import { sourcePattern } from '../../cgi/script-source.ts'
import type { Routable } from '../../routing/router.ts'

/** What the resolution of a request needs of a location. */
export interface ResolvableLocation extends Routable {
  /** Absolute; null only with `scriptFilename`. */
  readonly root: string | null
  readonly index: readonly string[]
  /** With a leading slash. */
  readonly frontController: string | null
  readonly scriptExtensions: readonly string[]
  readonly checkLocal: boolean
  readonly scriptFilename: string | null
  readonly symlinks: 'follow' | 'inside'
  readonly resolveRoot: boolean
  readonly static: boolean
}

/** A location whose scripts are files under a root. Texts are byte strings but for `location`. */
export interface ScriptSite<L> extends Routable {
  readonly kind: 'scripts'
  readonly location: L
  readonly files: DocumentRoot
  readonly extensions: readonly string[]
  readonly checkLocal: boolean
  readonly index: readonly IndexFile[]
  readonly frontController: string | null
  /** The front controller's file has to be looked at too: links and the root's real path are asked for. */
  readonly checksController: boolean
  /** What may be a script's file in some spelling. */
  readonly source: RegExp
  readonly serveStatic: boolean
}

/** An index of a location. */
export interface IndexFile {
  readonly name: string
  /** As Unicode, for patterns. */
  readonly text: string
  readonly isScript: boolean
}

/** A location that is one program: nothing on disk is looked at. */
export interface ProgramSite<L> extends Routable {
  readonly kind: 'program'
  readonly location: L
  /** Unicode, may have `:name` in it. */
  readonly scriptFilename: string
  /** Byte string, empty where there is none. */
  readonly documentRoot: string
}

/** A location, made ready for requests. */
export type Site<L> = ScriptSite<L> | ProgramSite<L>

/** Makes locations ready. Those of one root share what is remembered of it. */
export function prepareSites<L extends ResolvableLocation>(locations: readonly L[]): readonly Site<L>[] {
  const roots = new Map<string, DocumentRoot>()
  return locations.map((location) => {
    const { root, scriptFilename, match, hosts } = location
    if (scriptFilename !== null) {
      return { kind: 'program', location, match, hosts, scriptFilename, documentRoot: utf8Bytes(root ?? '') }
    }
    return scriptSite(location, rootOf(location, roots))
  })
}

function rootOf(location: ResolvableLocation, roots: Map<string, DocumentRoot>): DocumentRoot {
  const { symlinks, resolveRoot } = location
  const root = location.root ?? ''
  const key = [root, symlinks, resolveRoot].join('\0')
  const files = roots.get(key) ?? new DocumentRoot({ root, symlinks, resolveRoot })
  roots.set(key, files)
  return files
}

function scriptSite<L extends ResolvableLocation>(location: L, files: DocumentRoot): ScriptSite<L> {
  const extensions = location.scriptExtensions.map(utf8Bytes)
  const { frontController, checkLocal, match, hosts } = location
  return {
    kind: 'scripts',
    location,
    match,
    hosts,
    files,
    extensions,
    checkLocal,
    index: location.index.map((text) => ({
      name: utf8Bytes(text),
      text,
      isScript: location.scriptExtensions.some((extension) => text.endsWith(extension)),
    })),
    frontController: frontController === null ? null : utf8Bytes(frontController),
    checksController: checkLocal && (location.symlinks === 'inside' || location.resolveRoot),
    source: sourcePattern(location.scriptExtensions),
    serveStatic: location.static,
  }
}
