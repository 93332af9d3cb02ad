import { runInNewContext } from 'node:vm'
import type { Match } from './pattern.ts'

/** What {@link backtrackingWarning} needs of a location. */
export interface MatchingLocation {
  readonly name: string
  readonly match: readonly Match[]
}

/**
 * What the operator should hear at the start about a location one of whose patterns a single request can keep busy for ever, or
 * null. Routes of path-to-regexp are safe by their making.
 */
export function backtrackingWarning({ name, match }: MatchingLocation): string | null {
  for (const pattern of match) {
    const part = typeof pattern === 'string' ? null : explosivePart(pattern)
    if (part === null) continue
    return (
      `The location ${JSON.stringify(name)}: the part ${part} of the pattern ${pattern} tries endlessly many ways on some paths of ` +
      'a few dozen characters, and while it does nothing else is served (a RegExp has no timeout). Write it so that each ' +
      'repetition has one way to match, as (?:/[a-z]+)* for (/?[a-z]+)*.'
    )
  }
  return null
}

/** How long the trial of a group may take, in milliseconds: one that does not explode needs a hundredth of it. */
const TRIAL_TIME = 500

/** So often is a word repeated: two ways for each make 2^50 steps. */
const REPETITIONS = 50

/** Samples of what \w, \d, \s, a dot or [^/] take. */
const SAMPLES = 'aA0_-./ \u00e9'

/** Ends that some tail of a pattern does not take. */
const ENDS: readonly string[] = ['', '!', '/', '//', '~']

/**
 * The part of a pattern that backtracks without end (CWE-1333), or null. Only a repeated group can, as (a+)+ or (a|a)*, so
 * each such group is tried with what follows it, on words of its own characters. Not every one is found.
 */
export function explosivePart(pattern: RegExp): string | null {
  const flags = pattern.flags.replace(/[gy]/g, '')
  return repeatedGroups(pattern.source).find((group) => explodes(group, flags))?.text ?? null
}

/** A group with its quantifier, and what follows it inside of the groups around it. */
interface RepeatedGroup {
  readonly text: string
  readonly tail: string
}

/** A pattern's brackets outside of classes and escapes, and its bars; a class counts as one character. */
const TOKEN = /\\.|\[(?:\\.|[^\]\\])*\]|[()|]/gs
const REPEAT = /^(?:[*+]|\{\d+(?:,\d*)?\})\??/

function repeatedGroups(source: string): readonly RepeatedGroup[] {
  const open: number[] = []
  const found: RepeatedGroup[] = []
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    if (token === '(') open.push(index)
    if (token !== ')') continue
    const start = open.pop() ?? 0
    const rest = source.slice(index + 1)
    const quantifier = REPEAT.exec(rest)?.[0]
    const content = source.slice(start + 1, index).replace(/^\?(?:[:=!]|<[=!]?)/, '')
    if (quantifier === undefined || !/[*+?{|]/.test(content)) continue
    found.push({ text: source.slice(start, index + 1) + quantifier, tail: tailOf(rest.slice(quantifier.length)) })
  }
  return found
}

/** What follows in sequence: without the ends of the groups around and their other alternatives. */
function tailOf(rest: string): string {
  let tail = ''
  let from = 0
  let depth = 0
  let isLeftOut = false
  for (const { 0: token, index } of rest.matchAll(TOKEN)) {
    if (token === '(') depth += 1
    if (token === '|' && depth === 0 && !isLeftOut) {
      tail += rest.slice(from, index)
      isLeftOut = true
    }
    if (token === ')' && depth-- === 0) {
      if (!isLeftOut) tail += rest.slice(from, index)
      depth = 0
      isLeftOut = false
      from = index + 1 + (/^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(rest.slice(index + 1))?.[0].length ?? 0)
    }
  }
  return isLeftOut ? tail : tail + rest.slice(from)
}

function explodes(group: RepeatedGroup, flags: string): boolean {
  const pattern = isolated(group, flags)
  if (pattern === null) return false
  const texts = words(group.text).flatMap((word) => ENDS.map((end) => word.repeat(REPETITIONS) + end))
  try {
    runInNewContext('for (const text of texts) pattern.test(text)', { pattern, texts }, { timeout: TRIAL_TIME })
    return false
  } catch {
    return true
  }
}

/** Null where the parts are no pattern by themselves, as with a reference to another group. */
function isolated({ text, tail }: RepeatedGroup, flags: string): RegExp | null {
  try {
    return new RegExp(`^(?:${text})(?:${tail})`, flags)
  } catch {
    return null
  }
}

/** Words of one and of two of the characters that may matter to a group. */
function words(group: string): readonly string[] {
  const literals = group.replace(/\\[A-Za-z]|[^\w/.-]/g, '').slice(0, 20)
  const characters = [...new Set(literals + SAMPLES)]
  return characters.flatMap((first) => [first, ...characters.map((second) => first + second)])
}
