import { OptionError } from '../errors.ts'
import type { Key, Keys } from './key.ts'
import { refusal } from './kinds.ts'
import { nearest } from './nearest.ts'
import { gatewayKeys, locationKeys, serverKeys } from './schema.ts'

/** An object whose keys are known and whose values are still to be checked. */
export interface Given {
  /** Where it stands, for messages; empty for the top level. */
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
}

/** Which keys an object may have: those of tables and some that stand in none. */
export interface Known {
  readonly tables: readonly Readonly<Record<string, Key<unknown>>>[]
  readonly others: readonly string[]
}

/**
 * Checks that a value is an object of known keys. Getters are asked once; a key without a value is not given.
 * @throws OptionError with the nearest known key
 */
export function checkKeys(value: unknown, path: string, known: Known): Given {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refusal(path || 'options', value, 'an object')
  }
  const given = Object.entries(value).filter(([, one]) => one !== undefined)
  for (const [key] of given) {
    const isKnown = known.others.includes(key) || known.tables.some((table) => Object.hasOwn(table, key))
    if (!isKnown) throw unknownKey(key, path, known)
  }
  return { path, values: Object.fromEntries(given) }
}

function unknownKey(key: string, path: string, { tables, others }: Known): OptionError {
  const whole = pathTo(path, key)
  const place = placeOf(key)
  const spellings = tables.flatMap((table) =>
    Object.entries(table).flatMap(([option, { directives }]) =>
      [option, ...directives].map((one) => [one, option] as const),
    ),
  )
  const near =
    place === '' ? nearest(key, [...spellings, ...others.map((option) => [option, option] as const)]) : undefined
  return new OptionError(`${whole}: there is no such option${near === undefined ? place : `; did you mean ${near}?`}`)
}

/** Where a key belongs that is known elsewhere. */
function placeOf(key: string): string {
  if (Object.hasOwn(serverKeys, key)) return ' here; it belongs to a server: servers: [{ … }]'
  if (Object.hasOwn(locationKeys, key)) return ' here; it belongs to a location: locations: [{ … }]'
  return Object.hasOwn(gatewayKeys, key) || key === 'logger' ? ' here; it belongs to the top level' : ''
}

/** The path of a key, for messages. */
export function pathTo(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** Checks a value that was given for a key; undefined when none was. */
export function take<T>({ path, values }: Given, option: string, key: Key<T>): T | undefined {
  const value = values[option]
  return value === undefined ? undefined : key.kind.resolve(value, pathTo(path, option))
}

/**
 * Every key of a table: from the first layer that gives it, else what `made` says, else its default. Frozen.
 * @throws OptionError for a key that is required and not there
 */
export function complete<T extends object>(keys: Keys<T>, layers: readonly Given[], made: Partial<T> = {}): T {
  const entries = Object.entries<Key<unknown>>(keys).map(([option, key]) => {
    const layer = layers.find(({ values }) => values[option] !== undefined)
    const fallback = (made as Readonly<Record<string, unknown>>)[option] ?? key.absent
    const value = layer === undefined ? fallback : take(layer, option, key)
    if (value !== undefined) return [option, value]
    throw new OptionError(`${pathTo(layers[0]?.path ?? '', option)} is required; give ${key.kind.allowed}`)
  })
  // Object.fromEntries, as an object filled key by key would be a slow dictionary on the hot path (V8).
  return Object.freeze(Object.fromEntries(entries)) as T
}
