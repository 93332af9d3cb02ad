import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { Findings } from './findings.ts'
import { expandPath, hasWildcard } from './include.ts'
import { type Entry, type Position, type Section, UNREADABLE } from './section.ts'
import { linesOf, readText } from './text-file.ts'

/** A line of a Monkey file. */
export type Line =
  | { readonly kind: 'blank' }
  | { readonly kind: 'section'; readonly name: string }
  | { readonly kind: 'include'; readonly path: string }
  | { readonly kind: 'entry'; readonly key: string; readonly value: string; readonly column: number }
  | { readonly kind: 'wrong'; readonly reason: string; readonly isHeader: boolean }

/** Files that one file may include, altogether: more are a mistake that grows. */
const MAX_INCLUDES = 200

/** Reads one line by Monkey's grammar; a tab or ` = ` also separates key and value, and any indentation is fine. */
export function parseLine(line: string): Line {
  const [, indentation = '', content = ''] = /^([ \t\v\f]*)(.*?)[ \t\v\f]*$/s.exec(line) ?? []
  if (content === '' || content.startsWith('#') || content.startsWith('---')) return { kind: 'blank' }
  if (content.startsWith('[')) return parseHeader(content)
  if (content.startsWith('@')) return parseCommand(content)
  const [, key = '', value = ''] = /^([^ \t\v\f]+)(?:[ \t\v\f]+=(?=[ \t\v\f]|$))?[ \t\v\f]*(.*)$/s.exec(content) ?? []
  return { kind: 'entry', key, value, column: indentation.length + content.length - value.length + 1 }
}

/** `[NAME]`; what follows is ignored. */
function parseHeader(content: string): Line {
  const end = content.indexOf(']')
  if (end < 0) return { kind: 'wrong', reason: `a section header without ]: ${content}; write [NAME]`, isHeader: true }
  const name = content.slice(1, end).trim()
  return name === ''
    ? { kind: 'wrong', reason: 'a section header without a name; write [NAME]', isHeader: true }
    : { kind: 'section', name }
}

function parseCommand(content: string): Line {
  const path = /^@INCLUDE[ \t\v\f]+(.+)$/is.exec(content)?.[1]
  if (path !== undefined) return { kind: 'include', path }
  return { kind: 'wrong', reason: `an unknown command: ${content}; the only one is @INCLUDE path`, isHeader: false }
}

/**
 * Reads a Monkey file and what it includes. As in Monkey, a line belongs to the last section header before it, wherever
 * that stands.
 * @param at where the file was asked for, when a problem of reading it stands elsewhere
 */
export function readDirectives(file: string, findings: Findings, at: Position = { file, line: 0 }): readonly Section[] {
  const reading: Reading = { sections: [], findings, chain: [], count: 0 }
  readFile(reading, file, at)
  return reading.sections
}

interface Reading {
  readonly sections: Section[]
  readonly findings: Findings
  /** The files being read, each included by the one before. */
  readonly chain: string[]
  count: number
}

function readFile(reading: Reading, file: string, at: Position): void {
  const text = readText(file, at, reading.findings)
  if (text === undefined) return
  reading.chain.push(resolve(file))
  for (const [index, line] of linesOf(text).entries()) readLine(reading, parseLine(line), { file, line: index + 1 })
  reading.chain.pop()
}

function readLine(reading: Reading, line: Line, at: Position): void {
  switch (line.kind) {
    case 'blank':
      return
    case 'wrong':
      if (line.isHeader) reading.sections.push({ ...at, name: UNREADABLE, entries: [] })
      return reading.findings.problem(at, line.reason)
    case 'include':
      return include(reading, line.path, at)
    case 'section':
      reading.sections.push({ ...at, name: line.name, entries: [] })
      return
    case 'entry':
      return addEntry(reading, { ...at, key: line.key, value: line.value, column: line.column })
  }
}

function addEntry({ sections, findings }: Reading, entry: Entry): void {
  const section = sections.at(-1)
  if (section === undefined)
    return findings.problem(entry, `${entry.key} stands before any section; begin with [FASTCGI_SERVER]`)
  section.entries.push(entry)
}

/** Includes are relative to the file that they stand in. */
function include(reading: Reading, path: string, at: Position): void {
  const pattern = isAbsolute(path) ? path : join(dirname(at.file), path)
  const files = hasWildcard(path) ? expandPath(pattern, reading.findings.sources) : [pattern]
  if (files.length === 0) reading.findings.warning(at, `@INCLUDE ${path} names no file`)
  for (const file of files) {
    reading.count += 1
    if (reading.chain.includes(resolve(file))) {
      reading.findings.problem(at, `@INCLUDE ${path} goes in a circle: ${file} is being read already`)
    } else if (reading.count === MAX_INCLUDES) {
      reading.findings.problem(at, `@INCLUDE ${path} is one include too many; ${MAX_INCLUDES - 1} are allowed`)
    } else if (reading.count < MAX_INCLUDES) readFile(reading, file, at)
  }
}
