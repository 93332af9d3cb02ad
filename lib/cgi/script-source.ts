import { type DecodedPath, decodePath, foldPath, unicodeText, utf8Bytes } from './path.ts'

/** Code points that HFS+ leaves out when it compares names (CVE-2014-9390, Git). */
const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/gu

/** What Windows leaves out at the end of a name: dots, spaces, an NTFS stream (`::$DATA`); and slashes. */
const END_OF_NAME: string = String.raw`[. ]*(?::[^/\\]*)?[/\\. ]*$`

/** Regular expression source for a text as it stands. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/**
 * Matches a path (as {@link sourceText} gives it) whose last segment some file system could take for a script's file:
 * in any case, with what Windows leaves out at the end, or by the short name it gives a long extension (`INDEX~1.PHT`).
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

/** A byte string as {@link sourcePattern} is asked about it. */
export function sourceText(path: string): string {
  return unicodeText(path).replace(IGNORED_BY_HFS, '')
}

/**
 * The paths, folded, under which express.static could look for the target of a request that is passed on. It reads
 * 8-bit characters that are not encoded as Latin-1, trims a no-break space at the end of a target (url.parse), and takes
 * backslashes for slashes (url.parse, Windows).
 */
export function staticReadings(raw: string, path: DecodedPath): readonly string[] {
  const readings = [path.path]
  if (/[^\0-\x7f]/.test(raw)) readings.push(decodePath(utf8Bytes(raw.replace(/[\s\ufeff]+$/u, ''))).path)
  if (!path.path.includes('\\')) return readings
  return [...readings, ...readings.map((reading) => foldPath(reading.replaceAll('\\', '/')))]
}
