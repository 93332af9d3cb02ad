import { PosixRegexError } from './posix-regex-error.ts'

/** Character classes of POSIX in the C locale, as the inside of a JavaScript class. */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ['alnum', 'A-Za-z0-9'],
  ['alpha', 'A-Za-z'],
  ['blank', ' \\t'],
  ['cntrl', '\\x00-\\x1f\\x7f'],
  ['digit', '0-9'],
  ['graph', '!-~'],
  ['lower', 'a-z'],
  ['print', ' -~'],
  ['punct', '!-\\/:-@\\[-`{-~'],
  ['space', ' \\t-\\r'],
  ['upper', 'A-Z'],
  ['xdigit', '0-9A-Fa-f'],
])

/** A bracket expression in JavaScript. */
export interface Bracket {
  readonly source: string
  /** Where the pattern goes on. */
  readonly end: number
}

type Element = { readonly kind: 'class' | 'character'; readonly text: string; readonly end: number }

/**
 * Translates the bracket expression that begins at `start` (POSIX.1-2017 section 9.3.5). A backslash in it
 * is a backslash.
 * @throws PosixRegexError
 */
export function translateBracket(pattern: string, start: number, ignoreCase: boolean): Bracket {
  const negated = pattern[start + 1] === '^'
  const first = start + (negated ? 2 : 1)
  let at = first
  let source = ''
  // A ] that comes first stands for itself.
  while (at === first || pattern[at] !== ']') {
    const isLateHyphen = pattern[at] === '-' && at !== first && pattern[at + 1] !== ']'
    if (isLateHyphen) throw new PosixRegexError('a range that begins with - must come first in [ ]', at)
    const item = readItem(pattern, at, ignoreCase)
    source += item.source
    at = item.end
    if (at >= pattern.length) throw new PosixRegexError('[ without ]', start)
  }
  return { source: `[${negated ? '^' : ''}${source}]`, end: at + 1 }
}

/** A class, a character, or a range of characters. */
function readItem(pattern: string, at: number, ignoreCase: boolean): Bracket {
  const from = readElement(pattern, at)
  const isRange = pattern[from.end] === '-' && pattern[from.end + 1] !== ']'
  if (!isRange) return { source: from.kind === 'class' ? from.text : escapeMember(from.text), end: from.end }
  const to = readElement(pattern, from.end + 1)
  if (from.kind === 'class' || to.kind === 'class') {
    throw new PosixRegexError('a class such as [:digit:] cannot be an end of a range', at)
  }
  const [low, high] = [foldRangeEnd(from.text, ignoreCase), foldRangeEnd(to.text, ignoreCase)]
  if (low > high) throw new PosixRegexError(`the range ${from.text}-${to.text} is empty`, at)
  return { source: `${escapeMember(low)}-${escapeMember(high)}`, end: to.end }
}

/** glibc folds the whole pattern, so that [A-z] without case is [A-Z]. */
function foldRangeEnd(character: string, ignoreCase: boolean): string {
  return ignoreCase && /^[a-z]$/.test(character) ? character.toUpperCase() : character
}

function readElement(pattern: string, at: number): Element {
  const kind = pattern[at] === '[' ? pattern[at + 1] : undefined
  if (kind === ':' || kind === '.' || kind === '=') return readNamed(pattern, at, kind)
  const text = String.fromCodePoint(pattern.codePointAt(at) ?? 0)
  if (text.length > 1)
    throw new PosixRegexError(`${text} cannot stand in [ ]; write it as an alternative: (${text}|…)`, at)
  return { kind: 'character', text, end: at + 1 }
}

/** `[:class:]`, `[.x.]` or `[=x=]`; of the last two only single characters exist in the C locale. */
function readNamed(pattern: string, at: number, mark: ':' | '.' | '='): Element {
  const close = pattern.indexOf(`${mark}]`, at + 2)
  if (close < 0) throw new PosixRegexError(`[${mark} without ${mark}]`, at)
  const name = pattern.slice(at + 2, close)
  const end = close + 2
  if (mark === ':') {
    const text = CLASSES.get(name)
    if (text !== undefined) return { kind: 'class', text, end }
    throw new PosixRegexError(`there is no class [:${name}:]; the classes are ${[...CLASSES.keys()].join(', ')}`, at)
  }
  if (name.length !== 1) throw new PosixRegexError(`[${mark}${name}${mark}] is no single character`, at)
  return { kind: mark === '=' ? 'class' : 'character', text: mark === '=' ? escapeMember(name) : name, end }
}

function escapeMember(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character
}
