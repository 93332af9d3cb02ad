import type { DocumentRoot, FoundFile } from '../../cgi/document-root.ts'
import type { RequestFacts } from '../../cgi/facts.ts'
import { type DecodedPath, decodePath, utf8Bytes } from '../../cgi/path.ts'
import { assertOneSegment, locateScript, programScript, recallScript, type Script } from '../../cgi/script.ts'
import { fillParameters, type PatternMatch } from '../../routing/pattern.ts'
import { type Route, Router } from '../../routing/router.ts'
import { refuseSource } from './hidden-source.ts'
import { withSlash } from './redirect.ts'
import { type ProgramSite, prepareSites, type ResolvableLocation, type ScriptSite, type Site } from './site.ts'

type Params = Readonly<Record<string, string>>

/** It is served by a script. */
export interface ScriptResolution<L> {
  readonly kind: 'script'
  readonly location: L
  readonly script: Script
  /** Of the route. */
  readonly params: Params
}

/** What becomes of a request. */
export type Resolution<L> =
  | ScriptResolution<L>
  /** 301; GET and HEAD alone. */
  | { readonly kind: 'redirect'; readonly to: string }
  /** A regular file under the location's root; `path` is folded, a byte string. GET and HEAD alone. */
  | { readonly kind: 'static'; readonly location: L; readonly path: string }
  /** Not ours: `next()`. */
  | { readonly kind: 'pass' }

const PASS: { readonly kind: 'pass' } = Object.freeze({ kind: 'pass' })
const NO_PARAMS: Params = Object.freeze(Object.create(null))

/** The route that takes a path, with what its pattern found. */
interface Taken<S> {
  readonly site: S
  readonly match: PatternMatch
}

/** A request on its way through the steps below. */
interface Search<L> {
  readonly facts: RequestFacts
  readonly path: DecodedPath
  readonly routes: readonly Route<Site<L>>[]
  /** Those of every host. */
  readonly sites: readonly ScriptSite<L>[]
  readonly taken: Taken<ScriptSite<L>> | null
  /** What the path is under each root; asked once. */
  readonly found: Map<DocumentRoot, Promise<FoundFile>>
}

/** Decides what becomes of requests: which location serves, and by which script. */
export class Resolver<L extends ResolvableLocation> {
  readonly #router: Router<Site<L>>
  readonly #sites: readonly ScriptSite<L>[]

  /** @throws OptionError for a route that path-to-regexp refuses */
  constructor(locations: readonly L[]) {
    const sites = prepareSites(locations)
    this.#router = new Router(sites)
    this.#sites = sites.filter((site) => site.kind === 'scripts')
  }

  /**
   * What becomes of a request; at once where the disk is not asked.
   * @throws FastCgiError ERR_FCGI_BAD_TARGET; ERR_FCGI_SCRIPT_HIDDEN rather than let a script's source be served;
   * ERR_FCGI_LOCAL_FILE when the disk fails
   */
  resolve(facts: RequestFacts): Resolution<L> | Promise<Resolution<L>> {
    if (facts.path === '*') return PASS
    const path = decodePath(facts.path)
    const routes = this.#router.routes(facts.serverName)
    const sites = this.#sites
    for (const { location: site, pattern } of routes) {
      const match = pattern.exec(path.text)
      if (match === null) continue
      if (site.kind === 'program') return runProgram(facts, path, { site, match })
      const script = path.unsafe ? null : recallScript(path.path, site)
      if (script !== null) return { kind: 'script', location: site.location, script, params: match.params }
      return search({ facts, path, routes, sites, taken: { site, match }, found: new Map() })
    }
    return search({ facts, path, routes, sites, taken: null, found: new Map() })
  }
}

function runProgram<L>(facts: RequestFacts, path: DecodedPath, taken: Taken<ProgramSite<L>>): Resolution<L> {
  const { site, match } = taken
  const start = path.text.slice(0, match.fixed.length)
  const script = programScript(path, {
    fixed: path.text === path.path ? start : utf8Bytes(start),
    scriptFilename: utf8Bytes(fillParameters(site.scriptFilename, match.params, assertOneSegment)),
    documentRoot: site.documentRoot,
    atMount: facts.atMount,
  })
  return { kind: 'script', location: site.location, script, params: match.params }
}

/** The steps of behaviour.md 1.2 to 1.5, in their order. */
async function search<L>(request: Search<L>): Promise<Resolution<L>> {
  if (request.path.unsafe) return (await controller(request)) ?? passOn(request)
  return (
    (await namedScript(request)) ??
    (await index(request)) ??
    (await staticFile(request)) ??
    (await controller(request)) ??
    passOn(request)
  )
}

async function namedScript<L>({ path, taken }: Search<L>): Promise<Resolution<L> | null> {
  if (taken === null) return null
  const { site, match } = taken
  const script = await locateScript(path.path, site)
  return script === null ? null : { kind: 'script', location: site.location, script, params: match.params }
}

/** An index of a directory; one that was asked for without its slash is told its proper name first. */
async function index<L>(request: Search<L>): Promise<Resolution<L> | null> {
  const { facts, path, routes } = request
  const slash = path.path.endsWith('/') ? '' : '/'
  for (const { location: site, pattern } of routes) {
    if (site.kind === 'program' || (slash !== '' && !(await isDirectory(request, site)))) continue
    for (const file of site.index) {
      const match = pattern.exec(path.text + slash + file.text)
      if (file.isScript ? match === null : !(site.serveStatic && isRead(facts))) continue
      const name = path.path + slash + file.name
      const script = await wholeScript(name, site, site.checkLocal)
      if (script === null) continue
      if ((slash !== '' || facts.atMount) && isRead(facts)) return { kind: 'redirect', to: withSlash(facts) }
      if (!file.isScript) return { kind: 'static', location: site.location, path: name }
      return { kind: 'script', location: site.location, script, params: match?.params ?? NO_PARAMS }
    }
  }
  return null
}

async function staticFile<L>(request: Search<L>): Promise<Resolution<L> | null> {
  if (!isRead(request.facts)) return null
  for (const { location: site } of request.routes) {
    if (site.kind === 'program' || !site.serveStatic || !(await isFile(request, site))) continue
    return { kind: 'static', location: site.location, path: request.path.path }
  }
  return null
}

/** The front controller: of the location that takes the path; where none does, the first in the file. */
async function controller<L>(request: Search<L>): Promise<Resolution<L> | null> {
  const { routes, taken } = request
  const site = taken?.site ?? scriptSites(routes).find(({ frontController }) => frontController !== null)
  if (site === undefined || site.frontController === null) return null
  if (site.checkLocal && !request.path.unsafe && (await isFile(request, site))) return null
  const script = await wholeScript(site.frontController, site, site.checksController)
  if (script === null) return null
  return { kind: 'script', location: site.location, script, params: taken?.match.params ?? NO_PARAMS }
}

/** A client names its host as it likes, and express.static asks for none: the sites of all hosts count. */
async function passOn<L>({ facts, path, sites }: Search<L>): Promise<Resolution<L>> {
  await refuseSource(facts, path, sites)
  return PASS
}

/** A name that is a script to its end, or null where it is looked at and is no file. */
async function wholeScript<L>(scriptName: string, site: ScriptSite<L>, isChecked: boolean): Promise<Script | null> {
  const { filename, root, kind } = isChecked
    ? await site.files.find(scriptName)
    : { ...site.files.name(scriptName), kind: 'file' }
  return kind === 'file' ? { scriptName, pathInfo: '', scriptFilename: filename, documentRoot: root } : null
}

function scriptSites<L>(routes: readonly Route<Site<L>>[]): readonly ScriptSite<L>[] {
  return routes.map(({ location }) => location).filter((site) => site.kind === 'scripts')
}

function isRead({ method }: RequestFacts): boolean {
  return method === 'GET' || method === 'HEAD'
}

async function isDirectory<L>(request: Search<L>, site: ScriptSite<L>): Promise<boolean> {
  return site.checkLocal && (await lookUp(request, site)).kind === 'directory'
}

async function isFile<L>(request: Search<L>, site: ScriptSite<L>): Promise<boolean> {
  return !request.path.path.endsWith('/') && (await lookUp(request, site)).kind === 'file'
}

function lookUp<L>({ path, found }: Search<L>, site: ScriptSite<L>): Promise<FoundFile> {
  const known = found.get(site.files)
  if (known !== undefined) return known
  const finding = site.files.find(path.path)
  found.set(site.files, finding)
  return finding
}
