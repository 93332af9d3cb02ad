import { dirname, resolve } from 'node:path'
import { OptionError } from '../errors.ts'
import { command } from '../options/command.ts'
import type { Key } from '../options/key.ts'
import type { Findings } from './findings.ts'
import { translatePosixRegex } from './posix-regex.ts'
import { PosixRegexError } from './posix-regex-error.ts'
import type { Entry } from './section.ts'

/** What one line gives to an option, as JavaScript would write it; undefined after a problem was noted. */
export function readValue(directive: string, key: Key<unknown>, entry: Entry, findings: Findings): unknown {
  if (entry.value === '') return findings.problem(entry, `${directive} has no value; give ${key.kind.allowed}`)
  if (entry.isItem && key.kind.isList === undefined && directive !== 'Param') {
    return findings.problem(entry, `${directive}[] is no list; write ${directive} = value`)
  }
  try {
    const value = convert(directive, key, entry, findings)
    if (value === undefined) return undefined
    key.kind.resolve(value, directive)
    return value
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    return findings.problem(entry, error.message)
  }
}

/** Most values are read as their kind says; paths and patterns mean something else in a file. */
function convert(directive: string, key: Key<unknown>, entry: Entry, findings: Findings): unknown {
  switch (directive) {
    case 'DocumentRoot':
      return fromFolderOf(entry)
    case 'ServerPath':
      return fromFolderOf(entry)
    case 'Command':
      return commandOf(entry)
    case 'ServerAddr':
      return tcpAddress(entry, findings)
    case 'Param':
      return key.kind.read(entry.value)
    case 'Match':
      return readMatch(entry, findings)
    default:
      return entry.isItem ? [entry.value] : key.kind.read(entry.value)
  }
}

/** A path relative to the file that it stands in. */
function fromFolderOf({ file, value }: Entry): string {
  return resolve(dirname(file), value)
}

/** A program that is named by its path, not looked for in PATH, is relative to the file; its parameters are its own. */
function commandOf({ file, value }: Entry): unknown {
  const words = command.resolve(value, 'Command')
  if (!Array.isArray(words)) return words
  const [program = '', ...parameters] = words
  return program.includes('/') ? [resolve(dirname(file), program), ...parameters] : words
}

function tcpAddress(entry: Entry, findings: Findings): string | undefined {
  if (!/[/\\]|^unix:/.test(entry.value)) return entry.value
  findings.problem(entry, `ServerAddr: "${entry.value}" is a path; give host:port, or use ServerPath for a unix socket`)
  return undefined
}

/** Monkey's Match: alternatives with spaces between them; an item of a list in an INI file is one of them. */
function readMatch(entry: Entry, findings: Findings): readonly RegExp[] | undefined {
  const patterns = entry.isItem ? [[entry.value]] : [...entry.value.matchAll(/\S+/g)]
  if (!entry.isItem && /\s\s/.test(entry.value)) {
    findings.warning(
      entry,
      'Match: Monkey reads two spaces in a row as a pattern that matches every path; here they are one',
    )
  }
  let offset = 0
  const regexps = patterns.map(([pattern = '']) => {
    offset = entry.value.indexOf(pattern, offset)
    const regexp = readPattern(pattern, { ...entry, column: entry.column + offset }, { ignoreCase: false }, findings)
    offset += pattern.length
    return regexp
  })
  return regexps.every((one) => one !== undefined) ? regexps : undefined
}

/** A POSIX regular expression whose first character stands at `entry.column`. */
export function readPattern(
  pattern: string,
  entry: Entry,
  options: { readonly ignoreCase: boolean },
  findings: Findings,
): RegExp | undefined {
  try {
    return translatePosixRegex(pattern, options)
  } catch (error) {
    if (!(error instanceof PosixRegexError)) throw error
    findings.problem(entry, `Match: ${JSON.stringify(pattern)}, column ${entry.column + error.index}: ${error.message}`)
    return undefined
  }
}
