import { parse } from 'ini'
import type { Findings } from './findings.ts'
import { type Entry, type Section, UNREADABLE } from './section.ts'
import { linesOf, readText } from './text-file.ts'

/**
 * Reads an INI file with the `ini` package, a line at a time: given the whole it would merge sections of one name and
 * lose the line numbers. There are no comments behind a value, so that `;` and `#` may stand in patterns.
 */
export function readIni(file: string, findings: Findings): readonly Section[] {
  const text = readText(file, { file, line: 0 }, findings)
  const sections: Section[] = []
  for (const [index, line] of linesOf(text ?? '').entries()) {
    const at = { file, line: index + 1 }
    const content = line.trim()
    if (content === '' || content.startsWith(';') || content.startsWith('#')) continue
    if (content.startsWith('[')) {
      const header = parseHeader(content)
      sections.push({ ...at, ...(header ?? { name: UNREADABLE }), entries: [] })
      if (header === undefined) {
        findings.problem(at, `a section header that is none: ${content}; write [NAME] or [NAME.label]`)
      }
      continue
    }
    const entry = parseEntry(line)
    const section = sections.at(-1)
    if (entry === undefined) findings.problem(at, `a line without key or =: ${content}; write Key = value`)
    else if (section === undefined)
      findings.problem(at, `${entry.key} stands before any section; begin with [FASTCGI_SERVER.name]`)
    else section.entries.push({ ...at, ...entry })
  }
  return sections
}

/** `[NAME]` or `[NAME.label]`; a comment may follow. */
function parseHeader(content: string): Pick<Section, 'name' | 'label'> | undefined {
  const [, name = '', label] = /^\[\s*([^\].]+?)\s*(?:\.([^\]]*))?\](?:\s*[;#].*)?$/.exec(content) ?? []
  if (name === '') return undefined
  return label === undefined ? { name } : { name, label: label.trim() }
}

/** `Key = value`, or `Key[] = item` of a list. */
function parseEntry(line: string): Pick<Entry, 'key' | 'value' | 'column' | 'isItem'> | undefined {
  const separator = line.indexOf('=')
  if (separator < 0) return undefined
  const value = unquote(line.slice(separator + 1).trim())
  // As a JSON string a value passes through ini unchanged: not cut at ; and #, no escapes read.
  const [pair] = Object.entries(parse(`${line.slice(0, separator)}=${JSON.stringify(value)}`))
  if (pair === undefined || pair[0] === '') return undefined
  const [key, parsed] = pair
  const isItem = Array.isArray(parsed)
  // ini makes JSON values of true, false and null.
  const text = String(isItem ? parsed[0] : parsed)
  const column = line.indexOf(value, separator + 1) + 1
  return isItem ? { key, value: text, column, isItem } : { key, value: text, column }
}

/** Quotes keep blanks at the ends of a value; nothing inside them is an escape, as backslashes belong to patterns. */
function unquote(text: string): string {
  const quote = text[0]
  return text.length > 1 && (quote === '"' || quote === "'") && text.endsWith(quote) ? text.slice(1, -1) : text
}
