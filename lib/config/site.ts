import { basename } from 'node:path'
import { locationKeys } from '../options/schema.ts'
import type { LocationOptions } from '../options/types.ts'
import { readPattern, readValue } from './directive-value.ts'
import { readDirectives } from './directives.ts'
import type { Findings } from './findings.ts'
import { type Entry, formatPosition, isSameName, type Section } from './section.ts'
import { named, unknownServer } from './sections.ts'

/** A virtual host of Monkey 1.6, a file in `sites/`. */
export interface Site {
  readonly file: string
  readonly hosts: readonly string[]
  /** Undefined after a problem was noted. */
  readonly root: string | undefined
  /** A location for each line `Match REGEX fastcgi [SERVERNAME]`. */
  readonly handlers: readonly LocationOptions[]
}

/** The plugin's name in a handler line. */
const PLUGIN = 'fastcgi'

/** Reads a site; sections and handlers of other plugins are skipped. */
export function readSite(file: string, servers: readonly string[], findings: Findings): Site {
  const sections = readDirectives(file, findings)
  const host = first(sections, 'HOST', findings)
  if (host === undefined) findings.problem({ file, line: 0 }, 'has no [HOST] with ServerName and DocumentRoot')
  const handlers = first(sections, 'HANDLERS', findings)
  const matches = handlers?.entries.filter(({ key }) => isSameName(key, 'Match')) ?? []
  const locations = matches.flatMap((entry) => readHandler(entry, servers, findings) ?? [])
  const site = basename(file)
  return {
    file,
    hosts: host === undefined ? [] : readHosts(host, findings),
    root: host === undefined ? undefined : readRoot(host, findings),
    handlers: locations.map((location, index) => ({ name: `${site}_${index}`, ...location })),
  }
}

/** Monkey takes the first section of a name. */
function first(sections: readonly Section[], name: string, findings: Findings): Section | undefined {
  const [section, ...others] = named(sections, name)
  for (const other of others) {
    if (section !== undefined)
      findings.warning(other, `[${name}] stands at ${formatPosition(section)} already; that one counts`)
  }
  return section
}

/** The first line of a key; Monkey never sees the others. */
function firstEntry({ entries, ...section }: Section, key: string, findings: Findings): Entry | undefined {
  const [entry, ...others] = entries.filter((one) => isSameName(one.key, key))
  if (entry === undefined) findings.problem(section, `[${section.name}] has no ${key}`)
  else
    for (const other of others)
      findings.warning(other, `${key} stands at ${formatPosition(entry)} already; that line counts`)
  return entry
}

function readHosts(host: Section, findings: Findings): readonly string[] {
  const entry = firstEntry(host, 'ServerName', findings)
  const hosts = entry === undefined ? undefined : readValue('ServerName', locationKeys.hosts, entry, findings)
  return Array.isArray(hosts) ? hosts.map(String) : []
}

function readRoot(host: Section, findings: Findings): string | undefined {
  const entry = firstEntry(host, 'DocumentRoot', findings)
  const root = entry === undefined ? undefined : readValue('DocumentRoot', locationKeys.root, entry, findings)
  return typeof root === 'string' ? root : undefined
}

/** `REGEX fastcgi [SERVERNAME]`; without a name the first server, the only one that Monkey 1.6 knows. */
function readHandler(entry: Entry, servers: readonly string[], findings: Findings): LocationOptions | undefined {
  const [pattern = '', plugin, server = servers[0], ...rest] = entry.value.split(/\s+/)
  if (plugin === undefined || rest.length > 0) {
    findings.problem(entry, `Match: "${entry.value}" is no handler; write Match REGEX ${PLUGIN} [SERVERNAME]`)
    return undefined
  }
  if (!isSameName(plugin, PLUGIN)) return undefined
  if (server === undefined) findings.problem(entry, 'Match: there is no [FASTCGI_SERVER] to hand this to')
  else if (!servers.includes(server)) findings.problem(entry, `Match: ${unknownServer(server, servers)}`)
  const match = readPattern(pattern, entry, { ignoreCase: true }, findings)
  return match === undefined || server === undefined ? undefined : { match: [match], servers: [server] }
}
