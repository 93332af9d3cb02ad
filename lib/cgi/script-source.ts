import { type DecodedPath, decodePath, foldPath, unicodeText, utf8Bytes } from './path.ts'

/** Code points that HFS+ leaves out when it compares names (CVE-2014-9390, Git). */
const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/gu

/** Behind a name Windows leaves out dots and spaces, and what follows a colon is an NTFS stream (`::$DATA`). */
const END_OF_NAME = '[. ]*(?::|$)'

/** At the end of a path: slashes of either kind, and what Windows leaves out. */
const LEFT_OUT: ReadonlySet<string> = new Set(['/', '\\', '.', ' '])

/** Regular expression source for a text as it stands. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/**
 * Matches the name of a path (as {@link sourceText} gives it) that some file system could take for a script's file: in any
 * case, with what Windows leaves out at the end, or by the short name it gives a long extension (`INDEX~1.PHT`).
 * `alsoEndings` are further endings, as regular expression source.
 */
export function sourcePattern(extensions: readonly string[], alsoEndings: readonly string[] = []): RegExp {
  const long = extensions.filter((extension) => extension.length > 4)
  const endings = [
    ...extensions.map(escapePattern),
    ...long.map((extension) => String.raw`~\d+${escapePattern(extension.slice(0, 4))}`),
    ...alsoEndings,
  ]
  return new RegExp(`(?:${endings.join('|')})${END_OF_NAME}`, 'iu')
}

/**
 * The last name of a path, as {@link sourcePattern} is asked about it; what a file system leaves out behind it is cut here, for a
 * regular expression would try every place where that could begin.
 */
export function sourceText(path: string): string {
  const text = unicodeText(path).replace(IGNORED_BY_HFS, '')
  let end = text.length
  while (end > 0 && LEFT_OUT.has(text.charAt(end - 1))) end -= 1
  const start = Math.max(text.lastIndexOf('/', end - 1), text.lastIndexOf('\\', end - 1))
  return text.slice(start + 1, end)
}

/**
 * The paths, folded, under which express.static could look for the target of a request that is passed on. It reads
 * 8-bit characters that are not encoded as Latin-1, trims a no-break space at the end of a target (url.parse), and takes
 * backslashes for slashes (url.parse, Windows).
 */
export function staticReadings(raw: string, path: DecodedPath): readonly string[] {
  const readings = [path.path]
  if (/[^\0-\x7f]/.test(raw)) readings.push(decodePath(utf8Bytes(raw.trimEnd())).path)
  if (!path.path.includes('\\')) return readings
  return [...readings, ...readings.map((reading) => foldPath(reading.replaceAll('\\', '/')))]
}
