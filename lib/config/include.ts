import { join } from 'node:path'
import type { Sources } from './sources.ts'

const WILDCARD = /[*?[]/

/** Whether a path has wildcards: then it is right that nothing matches. */
export function hasWildcard(path: string): boolean {
  return WILDCARD.test(path)
}

/** The files that a path with `*`, `?` and `[…]` names (glob(3)), in the order of their names. */
export function expandPath(path: string, sources: Sources): readonly string[] {
  let found = [path.startsWith('/') ? '/' : '']
  for (const segment of path.split('/')) {
    found = hasWildcard(segment)
      ? found.flatMap((folder) => namesIn(folder, segment, sources))
      : found.map((one) => join(one, segment))
  }
  return found.filter((one) => sources.has(one)).sort()
}

function namesIn(folder: string, wildcard: string, sources: Sources): string[] {
  const matches = wildcardPattern(wildcard)
  // A leading dot is matched by a dot alone.
  const isSeen = (name: string): boolean => !name.startsWith('.') || wildcard.startsWith('.')
  return sources
    .namesIn(folder || '.')
    .map(({ name }) => name)
    .filter((name) => isSeen(name) && matches.test(name))
    .map((name) => join(folder, name))
}

function wildcardPattern(wildcard: string): RegExp {
  const source = wildcard.replace(/\*|\?|\[!?[^\]]+\]|[^*?[]+|\[/g, (part) => {
    if (part === '*') return '.*'
    if (part === '?') return '.'
    if (part.length > 2 && part.startsWith('[')) return part.replace(/\\/g, '\\\\').replace(/^\[!/, '[^')
    return part.replace(/[\\^$.+()[\]{}|]/g, '\\$&')
  })
  return new RegExp(`^${source}$`, 's')
}
