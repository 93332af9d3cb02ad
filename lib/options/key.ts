import type { Kind } from './kinds.ts'

/** One option: how files call it, what it takes, what stands when it is not given. */
export interface Key<T> {
  /** Its names in files; all but `Match`, `Route`, `ServerAddr` and `ServerPath` have one. */
  readonly directives: readonly string[]
  readonly kind: Kind<T>
  /** The default as a file writes it, or null where a file has no words for it. */
  readonly written: string | null
  /** The default as the reference shows it. */
  readonly shown: string
  /** The default itself; undefined: required, or made of the rest. */
  readonly absent: T | undefined
  /** One line for the reference. */
  readonly meaning: string
}

/** The keys of a section, as many as its resolved type has: the compiler keeps the table complete. */
export type Keys<T> = { readonly [K in keyof T]: Key<T[K]> }

/** A key whose default a file can write. */
export function key<T>(directive: string, kind: Kind<T>, written: string, meaning: string): Key<T> {
  const absent = kind.resolve(kind.read(written), directive)
  return { directives: [directive], kind, written, shown: `\`${written}\``, absent, meaning }
}

/** A key whose default no file can write. */
export function special<T>(
  directives: string,
  kind: Kind<T>,
  fallback: Pick<Key<T>, 'shown' | 'absent'>,
  meaning: string,
): Key<T> {
  return { directives: directives.split(' '), kind, written: null, ...fallback, meaning }
}
