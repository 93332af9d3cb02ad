import { translateBracket } from './posix-bracket.ts'
import { PosixRegexError } from './posix-regex-error.ts'

/** GNU's escapes that stand for a character. */
const CHARACTER_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['w', '\\w'],
  ['W', '\\W'],
  ['s', '[ \\t-\\r]'],
  ['S', '[^ \\t-\\r]'],
])

/** What stands for a place; nothing may repeat it. */
const ANCHORS: ReadonlyMap<string, string> = new Map([
  ['^', '^'],
  ['$', '$'],
  ['\\b', '\\b'],
  ['\\B', '\\B'],
  ['\\<', '\\b(?=\\w)'],
  ['\\>', '\\b(?<=\\w)'],
  ['\\`', '^'],
  ["\\'", '$'],
])

/** glibc's RE_DUP_MAX. */
const MAX_REPEAT = 32_767

/** Groups inside groups; each is a call inside a call here. */
const MAX_DEPTH = 100

interface Repeat {
  readonly min: number
  readonly max: number
}

/**
 * Translates a POSIX extended regular expression, as glibc's regcomp takes it, into a RegExp that matches the same.
 * What only JavaScript knows, and glibc would read as something else, is refused.
 * @throws PosixRegexError naming the place
 */
export function translatePosixRegex(pattern: string, options: { readonly ignoreCase: boolean }): RegExp {
  const source = new Translation(pattern, options.ignoreCase).alternatives(0)
  try {
    // No u flag: with it, i would match characters beyond ASCII such as ſ for s. A POSIX dot takes line ends.
    return new RegExp(source, options.ignoreCase ? 'is' : 's')
  } catch (cause) {
    throw new PosixRegexError(cause instanceof Error ? cause.message : String(cause), 0)
  }
}

/** A walk over a pattern. */
class Translation {
  readonly #pattern: string
  readonly #ignoreCase: boolean
  #at = 0
  #groups = 0
  /** Groups that have surely taken part where we are: of references to others JavaScript thinks differently. */
  #certain: ReadonlySet<number> = new Set()

  constructor(pattern: string, ignoreCase: boolean) {
    this.#pattern = pattern
    this.#ignoreCase = ignoreCase
  }

  alternatives(depth: number): string {
    const before = this.#certain
    const branches: string[] = []
    for (;;) {
      const start = this.#at
      this.#certain = before
      branches.push(this.#branch(depth))
      if (depth === 0 && this.#at === start) {
        throw new PosixRegexError('an empty alternative would match every path', start)
      }
      if (!this.#skip('|')) break
    }
    if (branches.length > 1) this.#certain = before
    return branches.join('|')
  }

  #branch(depth: number): string {
    let source = ''
    while (this.#at < this.#pattern.length && !this.#looksAt('|') && !(depth > 0 && this.#looksAt(')'))) {
      source += this.#piece(depth)
    }
    return source
  }

  #piece(depth: number): string {
    const anchor = this.#anchor()
    if (anchor !== undefined) {
      if (this.#atRepeat()) throw new PosixRegexError('an anchor cannot be repeated', this.#at)
      return anchor
    }
    if (this.#atRepeat()) throw this.#nothingToRepeat()
    const before = this.#certain
    const atom = this.#atom(depth)
    const repeated = this.#repeats(atom)
    if (repeated !== atom) this.#certain = before
    return repeated
  }

  #anchor(): string | undefined {
    const length = this.#looksAt('\\') ? 2 : 1
    const anchor = ANCHORS.get(this.#pattern.slice(this.#at, this.#at + length))
    if (anchor !== undefined) this.#at += length
    return anchor
  }

  #atRepeat(): boolean {
    return /[*+?{]/.test(this.#pattern[this.#at] ?? '')
  }

  #nothingToRepeat(): PosixRegexError {
    const hint = this.#pattern.startsWith('(?', this.#at - 1)
      ? "(? is JavaScript's; in a file write ( )"
      : `nothing stands before ${this.#pattern[this.#at]}; write \\${this.#pattern[this.#at]} for the character`
    return new PosixRegexError(hint, this.#at)
  }

  #atom(depth: number): string {
    if (this.#looksAt('(')) return this.#group(depth)
    if (this.#looksAt('\\')) return this.#escape()
    if (this.#looksAt('[')) {
      const { source, end } = translateBracket(this.#pattern, this.#at, this.#ignoreCase)
      this.#at = end
      return source
    }
    if (this.#skip('.')) return '.'
    // ) without ( and } stand for themselves.
    const character = String.fromCodePoint(this.#pattern.codePointAt(this.#at) ?? 0)
    this.#at += character.length
    return literal(character)
  }

  #group(depth: number): string {
    const start = this.#at
    if (depth >= MAX_DEPTH) throw new PosixRegexError(`more than ${MAX_DEPTH} groups inside each other`, start)
    this.#at += 1
    this.#groups += 1
    const number = this.#groups
    const source = this.alternatives(depth + 1)
    if (!this.#skip(')')) throw new PosixRegexError('( without )', start)
    this.#certain = new Set([...this.#certain, number])
    return `(${source})`
  }

  #escape(): string {
    const start = this.#at
    const character = String.fromCodePoint(this.#pattern.codePointAt(start + 1) ?? 0)
    if (start + 1 >= this.#pattern.length)
      throw new PosixRegexError('a \\ at the end; write \\\\ for the character', start)
    this.#at += 1 + character.length
    if (/[1-9]/.test(character)) return this.#reference(Number(character), start)
    const known = CHARACTER_ESCAPES.get(character)
    if (known !== undefined) return known
    if (!/[A-Za-z0-9]/.test(character)) return literal(character)
    const instead = { d: '[[:digit:]]', D: '[^[:digit:]]' }[character] ?? 'the character itself'
    throw new PosixRegexError(`\\${character} is no POSIX escape, Monkey reads ${character}; write ${instead}`, start)
  }

  #reference(number: number, start: number): string {
    if (this.#certain.has(number)) return `(?:\\${number})`
    throw new PosixRegexError(
      `\\${number} refers to a group that is not there, not closed or may have matched nothing`,
      start,
    )
  }

  /** Reads the repeats after an atom; of several the later repeats what the earlier made. */
  #repeats(atom: string): string {
    let source = atom
    let last: Repeat | undefined
    while (this.#atRepeat()) {
      const next = this.#repeat()
      const isSimple = last === undefined || (isStarLike(last) && isStarLike(next))
      if (!isSimple && last !== undefined) source = `(?:${source}${formatRepeat(last)})`
      last = isSimple && last !== undefined ? { min: last.min * next.min, max: Math.max(last.max, next.max) } : next
    }
    return last === undefined ? source : source + formatRepeat(last)
  }

  #repeat(): Repeat {
    if (this.#skip('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#skip('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#skip('?')) return { min: 0, max: 1 }
    const start = this.#at
    const [whole, from, comma, to] = /^\{(\d*)(,?)(\d*)\}/.exec(this.#pattern.slice(start)) ?? []
    if (whole === undefined || (from === '' && comma === '')) {
      throw new PosixRegexError('{ must be {n}, {n,}, {,m} or {n,m}; write \\{ for the character', start)
    }
    this.#at += whole.length
    const min = Number(from)
    const max = comma === '' ? min : to === '' ? Number.POSITIVE_INFINITY : Number(to)
    const isTooMuch = min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY)
    if (max < min || isTooMuch)
      throw new PosixRegexError(`${whole} is not allowed; at most ${MAX_REPEAT}, least first`, start)
    return { min, max }
  }

  #looksAt(character: string): boolean {
    return this.#pattern[this.#at] === character
  }

  #skip(character: string): boolean {
    if (!this.#looksAt(character)) return false
    this.#at += 1
    return true
  }
}

/** Of *, + and ? any two make one again: (a*)+ is a*, and no nested repeat is left to backtrack in. */
function isStarLike({ min, max }: Repeat): boolean {
  return min <= 1 && (max === 1 || max === Number.POSITIVE_INFINITY)
}

function formatRepeat({ min, max }: Repeat): string {
  if (max === Number.POSITIVE_INFINITY && min <= 1) return min === 0 ? '*' : '+'
  if (min === 0 && max === 1) return '?'
  return max === min ? `{${min}}` : `{${min},${max === Number.POSITIVE_INFINITY ? '' : max}}`
}

/** A character for itself. */
function literal(character: string): string {
  if (character.length > 1) return `(?:${character})`
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
