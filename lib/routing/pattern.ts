import { type Keys, parse, pathToRegexp, type Token } from 'path-to-regexp'
import { OptionError } from '../errors.ts'

/** What may match a path: a RegExp, or a path-to-regexp 8 pattern such as `/wiki{/*page}`. */
export type Match = RegExp | string

/** A path that was matched. */
export interface PatternMatch {
  /** The route's parameters, or a RegExp's named groups; what was left out is empty. */
  readonly params: Readonly<Record<string, string>>
  /** The literal beginning of a route, whole segments, without a slash at the end; empty for a RegExp. */
  readonly fixed: string
}

/** Patterns, compiled. */
export interface Pattern {
  /** The first pattern that matches, or null. `text` is the decoded path inside the mount, as Unicode. */
  exec(text: string): PatternMatch | null
}

type Alternative = (text: string) => PatternMatch | null

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/**
 * Compiles patterns; the first that matches counts.
 * @throws OptionError for a route that path-to-regexp refuses
 */
export function compilePattern(match: readonly Match[]): Pattern {
  const alternatives = match.map((one) => (typeof one === 'string' ? compileRoute(one) : compileRegExp(one)))
  const [only] = alternatives
  if (alternatives.length === 1 && only !== undefined) return { exec: only }
  return {
    exec(text) {
      for (const alternative of alternatives) {
        const found = alternative(text)
        if (found !== null) return found
      }
      return null
    },
  }
}

/** A copy without `g`, so that nothing is remembered from one request to the next; `y` is an anchor and stays. */
function compileRegExp(source: RegExp): Alternative {
  const regexp = new RegExp(source.source, source.flags.replace('g', ''))
  const withoutGroups: PatternMatch = Object.freeze({ params: NO_PARAMS, fixed: '' })
  return (text) => {
    regexp.lastIndex = 0
    const found = regexp.exec(text)
    if (found === null) return null
    return found.groups === undefined ? withoutGroups : { params: namedGroups(found.groups), fixed: '' }
  }
}

function namedGroups(groups: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const params: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(groups)) params[name] = value ?? ''
  return params
}

function compileRoute(route: string): Alternative {
  const { regexp, keys, fixed } = parseRoute(route)
  const withoutParams: PatternMatch = Object.freeze({ params: NO_PARAMS, fixed })
  return (text) => {
    const found = regexp.exec(text)
    if (found === null) return null
    if (keys.length === 0) return withoutParams
    const params: Record<string, string> = Object.create(null)
    // A name stands in several alternatives of an optional part, of which at most one was taken.
    for (const [index, { name }] of keys.entries()) params[name] ||= found[index + 1] ?? ''
    return { params, fixed }
  }
}

function parseRoute(route: string): { regexp: RegExp; keys: Keys; fixed: string } {
  try {
    return { ...pathToRegexp(route), fixed: fixedPart(parse(route).tokens) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OptionError(`match: ${JSON.stringify(route)} is no path-to-regexp 8 pattern: ${reason}`, { cause })
  }
}

/** The leading text as far as it is whole segments: of `/a/b-:c` it is `/a`. */
function fixedPart(tokens: readonly Token[]): string {
  const [first, next] = tokens
  if (first?.type !== 'text') return ''
  const endsSegment = next === undefined || beginsWithSlash(next)
  return endsSegment ? first.value.replace(/\/+$/, '') : first.value.slice(0, Math.max(0, first.value.lastIndexOf('/')))
}

function beginsWithSlash(token: Token): boolean {
  if (token.type === 'text') return token.value.startsWith('/')
  const [first] = token.type === 'group' ? token.tokens : []
  return first !== undefined && beginsWithSlash(first)
}

/**
 * Replaces each `:name` that the route has a parameter for; another one stays as it is, for it may be no parameter.
 * `check` sees each value that is written, and throws for one that must not stand there.
 */
export function fillParameters(
  template: string,
  params: Readonly<Record<string, string>>,
  check?: (name: string, value: string) => void,
): string {
  if (!template.includes(':')) return template
  return template.replace(/:([A-Za-z_$][\w$]*)/g, (whole, name: string) => {
    const value = params[name]
    if (value === undefined) return whole
    check?.(name, value)
    return value
  })
}
