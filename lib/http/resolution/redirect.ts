import type { RequestFacts } from '../../cgi/facts.ts'

/**
 * The target of a directory that was asked for without the slash at its end: a path, so that no Host can send a client
 * elsewhere, with one slash at its beginning, since browsers read `//host` and `/\host` as another host (CWE-601).
 */
export function withSlash(facts: RequestFacts): string {
  const path = facts.atMount ? facts.mount : facts.mount + facts.path
  const query = facts.query === '' ? '' : `?${facts.query}`
  return `${encode(path).replace(/^\/+/, '/')}/${encode(query)}`
}

/** What was not encoded and stands in no URL, a backslash among it, byte by byte. */
function encode(text: string): string {
  return text.replace(/[^!#-;=?-[\]_a-z~%]/g, (byte) => {
    return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}
