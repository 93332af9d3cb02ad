import type { Key } from '../options/key.ts'
import { nearest } from '../options/nearest.ts'
import { gatewayKeys, locationKeys, serverKeys } from '../options/schema.ts'
import { parseFlag } from '../options/values.ts'
import { readValue } from './directive-value.ts'
import type { Findings } from './findings.ts'
import { type Entry, formatPosition, isSameName, type Section } from './section.ts'

/** The keys that a section may have, by option. */
export type Table = Readonly<Record<string, Key<unknown>>>

/** What the lines of a section give. */
export interface SectionValues {
  /** Values by option, each one that its kind takes. */
  readonly values: Record<string, unknown>
  /** The line that counts, by directive, also where its value is wrong. */
  readonly entries: ReadonlyMap<string, Entry>
}

interface Directive {
  readonly name: string
  readonly option: string
  readonly key: Key<unknown>
}

/** Reads the lines of a section by a table of keys. Of two lines with one key the first counts, as in Monkey. */
export function readSectionValues(section: Section, table: Table, findings: Findings): SectionValues {
  const directives = directivesOf(table)
  const values: Record<string, unknown> = {}
  const entries = new Map<string, Entry>()
  for (const entry of section.entries) {
    const directive = directives.find(({ name }) => isSameName(name, entry.key))
    if (directive === undefined) {
      noteUnknown(section, entry, directives, findings)
      continue
    }
    const first = entries.get(directive.name)
    if (first !== undefined && !mayRepeat(directive, first, entry)) {
      noteRepeated(directive.name, first, entry, findings)
      continue
    }
    if (first === undefined) entries.set(directive.name, entry)
    const value = readValue(directive.name, directive.key, entry, findings)
    if (value !== undefined)
      values[directive.option] = join(directive, values[directive.option], value, entry, findings)
  }
  return { values, entries }
}

function directivesOf(table: Table): readonly Directive[] {
  return Object.entries(table).flatMap(([option, key]) => key.directives.map((name) => ({ name, option, key })))
}

/** Param always, and what an INI file writes as a list. */
function mayRepeat({ name }: Directive, first: Entry, entry: Entry): boolean {
  return name === 'Param' || (first.isItem === true && entry.isItem === true)
}

function noteRepeated(name: string, first: Entry, entry: Entry, findings: Findings): void {
  findings.warning(entry, `${name} stands in this section already; ${formatPosition(first)} counts, this line does not`)
}

/** Adds a value to what other lines gave for the same option. */
function join(directive: Directive, before: unknown, value: unknown, entry: Entry, findings: Findings): unknown {
  if (before === undefined) return value
  if (Array.isArray(before) && Array.isArray(value)) return [...before, ...value]
  if (directive.name !== 'Param' || typeof before !== 'object' || typeof value !== 'object') return before
  const [repeated] = Object.keys(value ?? {}).filter((parameter) => Object.hasOwn(before ?? {}, parameter))
  if (repeated !== undefined) {
    findings.warning(entry, `Param ${repeated} stands in this section already; the first counts, this line does not`)
  }
  return { ...value, ...before }
}

/** Monkey 1.5 knows Multiplexing on a server (and crashes of it). */
const MULTIPLEXING = 'Multiplexing'

function noteUnknown(section: Section, entry: Entry, directives: readonly Directive[], findings: Findings): void {
  if (isSameName(section.name, 'FASTCGI_SERVER') && isSameName(entry.key, MULTIPLEXING)) {
    return noteMultiplexing(entry, findings)
  }
  const place = placeOf(entry.key)
  if (place !== undefined) return findings.problem(entry, `${entry.key} belongs to ${place}, not to [${section.name}]`)
  const near = nearest(
    entry.key,
    directives.map(({ name }) => [name, name] as const),
  )
  const allowed =
    near === undefined ? `it may have ${directives.map(({ name }) => name).join(', ')}` : `did you mean ${near}?`
  const separator = /^\w+=/.test(entry.key) ? ' (key and value are separated by a space)' : ''
  findings.problem(entry, `[${section.name}] has no key ${JSON.stringify(entry.key)}${separator}; ${allowed}`)
}

/** The section that knows a key which this one does not. */
function placeOf(key: string): string | undefined {
  const knows = (table: Table): boolean => directivesOf(table).some(({ name }) => isSameName(name, key))
  if (knows(serverKeys)) return '[FASTCGI_SERVER]'
  if (knows(locationKeys)) return '[FASTCGI_LOCATION]'
  return knows(gatewayKeys) ? '[FASTCGI]' : undefined
}

function noteMultiplexing(entry: Entry, findings: Findings): void {
  if (parseFlag(entry.value) === undefined) {
    return findings.problem(
      entry,
      `${MULTIPLEXING}: ${JSON.stringify(entry.value)} is not allowed here; give On or Off`,
    )
  }
  findings.warning(entry, `${MULTIPLEXING} is not built yet: each connection carries one request at a time`)
}
