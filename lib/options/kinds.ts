import { parseAddress } from '../client/address.ts'
import { OptionError } from '../errors.ts'
import { isDuration, parseCount, parseDuration, parseFlag, parseSize, showValue } from './values.ts'

/** A kind of option: how a file's text becomes a value, and how any value is checked and completed. */
export interface Kind<T> {
  /** What may be given, for messages and the reference. */
  readonly allowed: string
  /** Whether it takes several values. */
  readonly isList?: true
  /** From a file's text to the value that JavaScript would give; other text stays, for `resolve` to refuse. */
  read(text: string): unknown
  /**
   * Checks and completes a value that was given.
   * @throws OptionError naming the key, what was given and what is allowed
   */
  resolve(value: unknown, key: string): T
}

/** The error that a kind throws: the key, what was given, what is allowed. */
export function refusal(key: string, value: unknown, allowed: string): OptionError {
  return new OptionError(`${key}: ${showValue(value)} is not allowed here; give ${allowed}`)
}

/** Whether a value is text without NUL, which no path, name or parameter can carry. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0')
}

/** A kind by a parser of a file's text and a test that gives undefined for what is not allowed. */
function kindOf<T>(
  allowed: string,
  read: (text: string) => unknown,
  accept: (value: unknown) => T | undefined,
): Kind<T> {
  return {
    allowed,
    read,
    resolve(value, key) {
      const accepted = accept(value)
      if (accepted === undefined) throw refusal(key, value, allowed)
      return accepted
    },
  }
}

const asWritten = (text: string): string => text

/** On or off. */
export const flag: Kind<boolean> = kindOf(
  'On or Off in a file, true or false in JavaScript',
  (text) => parseFlag(text) ?? text,
  (value) => (typeof value === 'string' ? parseFlag(value) : typeof value === 'boolean' ? value : undefined),
)

/** The words that lift a limit. */
const NO_LIMIT = /^(?:none|off|unlimited)$/i

/** What {@link count} may be told beyond the smallest number. */
interface CountBounds {
  readonly max?: number
  /** 0 and `unlimited` are taken too, both for no limit. */
  readonly limitless?: true
}

/** A whole number from `min` on. */
export function count(min: number, { max, limitless }: CountBounds = {}): Kind<number> {
  const range = max === undefined ? `from ${min} on` : `from ${min} to ${max}`
  const allowed = `a whole number ${range}${limitless ? ', or unlimited (0, Infinity)' : ''}`
  return kindOf(
    allowed,
    (text) => parseCount(text) ?? text,
    (value) => {
      const number = typeof value === 'string' ? (parseCount(value) ?? limitOf(value)) : value
      if (limitless && (number === 0 || number === Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY
      const isInRange = Number.isSafeInteger(number) && Number(number) >= min && Number(number) <= (max ?? Infinity)
      return isInRange ? Number(number) : undefined
    },
  )
}

/** A size from `min` bytes on; `limitless` also takes `unlimited`. */
export function size(min: number, limitless: boolean = false): Kind<number> {
  const unlimited = limitless ? ', or unlimited (Infinity)' : ''
  return kindOf(`a size from ${min} bytes on: 10k, 1m, 1g or plain bytes${unlimited}`, asWritten, (value) => {
    const bytes = typeof value === 'string' ? (parseSize(value) ?? limitOf(value)) : value
    if (limitless && bytes === Number.POSITIVE_INFINITY) return bytes
    return Number.isSafeInteger(bytes) && Number(bytes) >= min ? Number(bytes) : undefined
  })
}

/** A duration in milliseconds; 0, `none` and Infinity lift the limit and become `none`. */
export function duration(none: number): Kind<number> {
  const allowed = '500ms, 5s, 2m, 1h (at most 24 days), plain seconds in a file, milliseconds in JavaScript, or none'
  return kindOf(allowed, asWritten, (value) => {
    const time = typeof value === 'string' ? (parseDuration(value) ?? limitOf(value)) : value
    if (time === 0 || time === Number.POSITIVE_INFINITY) return none
    return typeof time === 'number' && isDuration(time) ? time : undefined
  })
}

/** A duration in milliseconds that there must be. */
export const positiveDuration: Kind<number> = kindOf(
  '500ms, 5s, 2m, 1h (at most 24 days), plain seconds in a file, milliseconds in JavaScript',
  asWritten,
  (value) => {
    const time = typeof value === 'string' ? parseDuration(value) : value
    return typeof time === 'number' && time > 0 && isDuration(time) ? time : undefined
  },
)

function limitOf(text: string): number | undefined {
  return NO_LIMIT.test(text) ? Number.POSITIVE_INFINITY : undefined
}

/** One of some words, in any case; `true` and `false` stand for `on` and `off` where those are among them. */
export function oneOf<const W extends string>(...words: readonly W[]): Kind<W> {
  return kindOf(words.join(', '), asWritten, (value) => {
    const word = typeof value === 'boolean' ? (value ? 'on' : 'off') : value
    return typeof word === 'string' ? words.find((one) => one === word.toLowerCase()) : undefined
  })
}

/** A name that lists of names can hold: no spaces, no commas. */
export const name: Kind<string> = kindOf('a name without spaces and commas', asWritten, (value) =>
  isText(value) && !/[\s,]/.test(value) ? value : undefined,
)

/** Free text, as the name of a location. */
export const label: Kind<string> = kindOf('a name', asWritten, (value) => (isText(value) ? value : undefined))

/** Names, none of them twice. */
export const names: Kind<readonly string[]> = {
  allowed: 'names of servers',
  isList: true,
  read: (text) => text.split(/[\s,]+/).filter((one) => one !== ''),
  resolve: (value, key) => {
    const list = listOf(value, key, name)
    if (list.length === 0) throw refusal(key, value, 'at least one name of a server')
    return Object.freeze([...new Set(list)])
  },
}

/** The items of a list, each checked; a lone value is a list of one. */
export function listOf<T>(value: unknown, key: string, item: Pick<Kind<T>, 'resolve'>): readonly T[] {
  if (!Array.isArray(value)) return Object.freeze([item.resolve(value, key)])
  return Object.freeze(value.map((one, index) => item.resolve(one, `${key}[${index}]`)))
}

/** A list in a file: split on spaces. */
export function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** Where a server listens. */
export const address: Kind<string | null> = {
  allowed: 'host:port, [v6]:port, or the path of a unix socket',
  read: asWritten,
  resolve(value, key) {
    if (typeof value !== 'string') throw refusal(key, value, address.allowed)
    try {
      parseAddress(value)
    } catch (error) {
      if (error instanceof OptionError) throw new OptionError(`${key}: ${error.message}`)
      throw error
    }
    return value
  },
}
