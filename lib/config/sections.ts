import { nearest } from '../options/nearest.ts'
import { gatewayKeys, locationKeys, serverKeys } from '../options/schema.ts'
import type { FastCgiOptions, LocationOptions, ServerOptions } from '../options/types.ts'
import type { Findings } from './findings.ts'
import { type Entry, formatPosition, isSameName, type Section, UNREADABLE } from './section.ts'
import { readSectionValues, type Table } from './section-values.ts'

const { name: _name, servers: _servers, ...settingKeys } = locationKeys

/** `[FASTCGI]`: the defaults of every location and what concerns the gateway. */
const GATEWAY_TABLE: Table = { ...settingKeys, ...gatewayKeys }

/** TrustForwarded may also stand in a location, though it concerns the whole gateway. */
const LOCATION_TABLE: Table = { ...locationKeys, trustProxy: gatewayKeys.trustProxy }

const SECTIONS = ['FASTCGI', 'FASTCGI_SERVER', 'FASTCGI_LOCATION'] as const

/** The options of a file, and where its servers stand. */
export interface FileOptions extends FastCgiOptions {
  readonly servers?: readonly ServerOptions[]
  readonly locations?: readonly LocationOptions[]
}

/** Makes options of the sections of one configuration. Servers may stand after the locations that name them. */
export function readSections(sections: readonly Section[], findings: Findings): FileOptions {
  for (const section of sections) noteUnknown(section, findings)
  const servers = readServers(named(sections, 'FASTCGI_SERVER'), findings)
  const trust: Trust = {}
  const context = { servers: servers.filter(({ name }) => name !== ''), trust, findings }
  const gateway = readGateway(named(sections, 'FASTCGI'), context)
  const locations = named(sections, 'FASTCGI_LOCATION').map((section) => readLocation(section, context))
  return {
    ...gateway,
    ...(trust.value === undefined ? {} : { trustProxy: trust.value as NonNullable<FastCgiOptions['trustProxy']> }),
    ...(servers.length === 0 ? {} : { servers }),
    ...(locations.length === 0 ? {} : { locations }),
  }
}

/** The sections of one name. */
export function named(sections: readonly Section[], name: string): readonly Section[] {
  return sections.filter((section) => isSameName(section.name, name))
}

function noteUnknown(section: Section, findings: Findings): void {
  if (section.name === UNREADABLE || SECTIONS.some((name) => isSameName(name, section.name))) return
  if (isSameName(section.name, 'HOST') || isSameName(section.name, 'HANDLERS')) {
    return findings.problem(
      section,
      `[${section.name}] belongs to a file of sites/: give Monkey's conf directory instead`,
    )
  }
  const near = nearest(
    section.name,
    SECTIONS.map((name) => [name, name] as const),
  )
  const allowed = near === undefined ? `there are [${SECTIONS.join('], [')}]` : `did you mean [${near}]?`
  findings.problem(section, `there is no section [${section.name}]; ${allowed}`)
}

/** The one value of TrustForwarded and the line that gave it. */
interface Trust {
  value?: unknown
  entry?: Entry
}

/** What other sections say. */
interface Context {
  readonly servers: readonly ServerOptions[]
  readonly trust: Trust
  readonly findings: Findings
}

function readGateway([section, ...others]: readonly Section[], context: Context): FastCgiOptions {
  const { trust, findings } = context
  if (section === undefined) return {}
  for (const other of others)
    findings.problem(other, `[FASTCGI] stands at ${formatPosition(section)} already; one is allowed`)
  const { values, entries } = readSectionValues(section, GATEWAY_TABLE, findings)
  const { trustProxy, ...settings } = values
  noteTrust(trust, trustProxy, entries.get('TrustForwarded'), findings)
  const workers = entries.get('Workers')
  if (workers !== undefined) noteShares(values.workers, workers, context)
  return settings
}

/** Each process needs a connection to each server; what Command starts is each process's own. */
function noteShares(workers: unknown, entry: Entry, { servers, findings }: Context): void {
  for (const { name, address, maxConnections = serverKeys.maxConnections.absent } of servers) {
    if (address === undefined || !(Number(workers) > Number(maxConnections))) continue
    findings.problem(
      entry,
      `Workers: ${workers} processes share the server "${name}" with MaxConnections ${maxConnections}; give it ${workers} or more`,
    )
  }
}

function noteTrust(trust: Trust, value: unknown, entry: Entry | undefined, findings: Findings): void {
  if (entry === undefined || value === undefined) return
  if (trust.entry !== undefined && trust.entry.value !== entry.value) {
    const first = `${formatPosition(trust.entry)} says ${trust.entry.value}`
    return findings.problem(entry, `TrustForwarded is one for the whole gateway; ${first}, this line ${entry.value}`)
  }
  trust.value = value
  trust.entry = entry
}

function readServers(sections: readonly Section[], findings: Findings): readonly ServerOptions[] {
  const first = new Map<string, Section>()
  return sections.map((section) => {
    const { values, entries } = readSectionValues(section, serverKeys, findings)
    const name = nameOf(section, values.name, entries.get('ServerName'), findings)
    if (name === undefined && !entries.has('ServerName')) {
      findings.problem(section, `[${section.name}] has no ServerName; give the name that ServerNames calls it`)
    }
    noteAddresses(section, entries, findings)
    const twin = name === undefined ? undefined : first.get(name)
    if (twin !== undefined) findings.problem(section, `ServerName "${name}" is that of ${formatPosition(twin)} already`)
    else if (name !== undefined) first.set(name, section)
    return { ...values, name: name ?? '' } as ServerOptions
  })
}

/** The name that a section's key gives, or the label in the header of an INI file. */
function nameOf({ label }: Section, value: unknown, entry: Entry | undefined, findings: Findings): string | undefined {
  const name = typeof value === 'string' ? value : undefined
  if (label === undefined || label === '') return name
  if (entry !== undefined && entry.value !== label) {
    findings.problem(entry, `${entry.key} "${entry.value}" and the header's "${label}" differ; give one of them`)
  }
  return label
}

/** Monkey 1.5 would take the path of two addresses; 1.6 and the documents of both refuse them. */
function noteAddresses(section: Section, entries: ReadonlyMap<string, Entry>, findings: Findings): void {
  const [host, path, command] = ['ServerAddr', 'ServerPath', 'Command'].map((name) => entries.get(name))
  if (host !== undefined && path !== undefined) {
    findings.problem(path, `ServerPath and ServerAddr (${formatPosition(host)}) are both given; give one of them`)
  }
  const address = host ?? path
  if (address !== undefined && command !== undefined) {
    findings.problem(
      command,
      `Command and ${address.key} (${formatPosition(address)}) are both given; give the address of a backend that runs, or Command to start one`,
    )
  }
  if (address === undefined && command === undefined) {
    findings.problem(
      section,
      `[${section.name}] has no address; give ServerAddr host:port or ServerPath /path/of/socket, or Command to start it here`,
    )
  }
  const processes = entries.get('Processes')
  if (processes !== undefined && command === undefined) {
    findings.problem(processes, 'Processes belongs to a server with Command; leave it out')
  }
}

function readLocation(section: Section, context: Context): LocationOptions {
  const { trust, findings } = context
  const { values, entries } = readSectionValues(section, LOCATION_TABLE, findings)
  const { trustProxy, ...settings } = values
  noteTrust(trust, trustProxy, entries.get('TrustForwarded'), findings)
  const name = nameOf(section, values.name, entries.get('LocationName'), findings)
  noteServers(section, values.servers, entries.get('ServerNames'), context)
  return name === undefined ? settings : { ...settings, name }
}

function noteServers(section: Section, given: unknown, entry: Entry | undefined, { servers, findings }: Context): void {
  const known = servers.map(({ name }) => name)
  if (entry === undefined) {
    return findings.problem(section, `[${section.name}] has no ServerNames; give ${listed(known)}`)
  }
  if (!Array.isArray(given)) return
  for (const server of given) {
    if (!known.includes(String(server))) findings.problem(entry, unknownServer(String(server), known))
  }
  const backups = servers.filter(({ backup }) => backup === true).map(({ name }) => name)
  if (given.every((server) => backups.includes(String(server)))) {
    findings.problem(
      entry,
      `ServerNames: all of these are backups; name one that is not: a backup serves only while no other is up`,
    )
  }
}

/** What is wrong with a name that no server has. */
export function unknownServer(server: string, names: readonly string[]): string {
  const near = nearest(
    server,
    names.map((name) => [name, name] as const),
  )
  return `there is no server "${server}"; ${near === undefined ? `give ${listed(names)}` : `did you mean ${near}?`}`
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'a name, and a [FASTCGI_SERVER] of that ServerName' : `one or more of ${names.join(', ')}`
}
