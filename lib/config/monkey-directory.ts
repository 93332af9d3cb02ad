import { join, resolve } from 'node:path'
import type { FastCgiOptions, LocationOptions } from '../options/types.ts'
import { readDirectives } from './directives.ts'
import type { Findings } from './findings.ts'
import { isSameName } from './section.ts'
import { type FileOptions, named, readSections } from './sections.ts'
import { readSite, type Site } from './site.ts'

/** Where Monkey keeps the plugin's own file, below its conf directory. */
const PLUGIN_FILE: string = join('plugins', 'fastcgi', 'fastcgi.conf')

/** The virtual host of every host that no other site names. */
const DEFAULT_SITE = 'default'

/** The conf directory of Monkey that a plugin's file stands in, when it has sites; else undefined. */
export function directoryOf(pluginFile: string, { sources }: Findings): string | undefined {
  const directory = join(pluginFile, '..', '..', '..')
  const isPluginFile = resolve(directory, PLUGIN_FILE) === resolve(pluginFile)
  return isPluginFile && sources.has(join(directory, 'sites')) ? directory : undefined
}

/**
 * Reads a conf directory of Monkey: the plugin's file, the handlers of the sites (1.6), and the index of monkey.conf.
 * Locations of the plugin's file (1.5) without a Host hold for every site, under its DocumentRoot.
 */
export function readMonkeyDirectory(directory: string, findings: Findings): FastCgiOptions {
  const file = [PLUGIN_FILE, 'fastcgi.conf']
    .map((name) => join(directory, name))
    .find((path) => findings.sources.hasFile(path))
  if (file === undefined) {
    findings.problem({ file: directory, line: 0 }, `is no conf directory of Monkey: there is no ${PLUGIN_FILE}`)
    return {}
  }
  const options = readSections(readDirectives(file, findings), findings)
  const folder = join(directory, 'sites')
  if (!findings.sources.has(folder)) return options
  const servers = options.servers?.map(({ name }) => name) ?? []
  const sites = siteFiles(folder, findings).map((path) => readSite(path, servers, findings))
  const locations = locationsOf(sites, options, findings)
  if (locations.length === 0) {
    findings.problem({ file: folder, line: 0 }, 'no site has a line "Match REGEX fastcgi" in [HANDLERS]')
  }
  return { ...readIndex(directory, findings), ...options, locations }
}

/** The files of the sites, the default one first; as Monkey does, without hidden files and backups. */
function siteFiles(folder: string, findings: Findings): readonly string[] {
  const others = findings.sources
    .namesIn(folder)
    .filter(({ name, isDirectory }) => !isDirectory && name !== DEFAULT_SITE && !/^\.|~$/.test(name))
    .map(({ name }) => join(folder, name))
    .sort()
  const first = join(folder, DEFAULT_SITE)
  if (findings.sources.hasFile(first)) return [first, ...others]
  findings.problem({ file: first, line: 0 }, 'is missing: this site serves every host that no other one names')
  return others
}

function locationsOf(sites: readonly Site[], options: FileOptions, findings: Findings): readonly LocationOptions[] {
  const own = options.locations ?? []
  const everywhere = own.filter(({ hosts }) => hosts === undefined)
  const ofSites = sites.flatMap((site, index) => {
    const { root, handlers, file } = site
    const hosts = index === 0 ? [...site.hosts, '*'] : site.hosts
    if (handlers.length + everywhere.length === 0 && index > 0) {
      findings.warning({ file, line: 0 }, `has no fastcgi handler: its hosts are served as sites/${DEFAULT_SITE} says`)
    }
    const placed = root === undefined ? { hosts } : { hosts, root }
    return [
      ...handlers.map((handler) => ({ ...placed, ...handler })),
      ...everywhere.map((one) => ({ ...placed, ...one })),
    ]
  })
  return [...own.filter(({ hosts }) => hosts !== undefined), ...ofSites]
}

/** `Indexfile` of `[SERVER]`, when there is a monkey.conf. */
function readIndex(directory: string, findings: Findings): Pick<FastCgiOptions, 'index'> {
  const file = join(directory, 'monkey.conf')
  if (!findings.sources.hasFile(file)) return {}
  const [server] = named(readDirectives(file, findings), 'SERVER')
  const entry = server?.entries.find(({ key }) => isSameName(key, 'Indexfile'))
  return entry === undefined ? {} : { index: entry.value.split(/\s+/) }
}
