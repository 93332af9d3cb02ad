import { FastCgiError } from '../errors.ts'
import { quoted } from './quotation.ts'

/** A header field of a CGI response. Bytes are latin1 characters. */
export interface HeaderField {
  /** As the script spelled it. */
  readonly name: string
  /** The name in lower case. */
  readonly key: string
  readonly value: string
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Of all that a head may hold: controls but the tab, and a CR that no LF follows (RFC 9110 section 5.5). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/

/**
 * Fields of one value: of several, the first counts. Besides the usual five these are all that Node's HTTP/2 refuses to
 * send twice. Content-Length is not here, as two that differ are no answer at all.
 */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
])

/** Refuses a head that holds a control character: one look at the whole of it. */
export function refuseControls(head: string): void {
  const found = FORBIDDEN.exec(head)
  if (found === null) return
  const start = head.lastIndexOf('\n', found.index) + 1
  throw badHead(`a control character stands in the line ${quoted(head.slice(start).split('\n', 1)[0] ?? '')}`)
}

/** Splits a line, without its end, into name and value. Throws {@link FastCgiError} where it is no header field. */
export function parseField(line: string): HeaderField {
  const colon = line.indexOf(':')
  const name = line.slice(0, colon)
  if (colon === -1 || !TOKEN.test(name)) throw notAField(line, colon)
  return { name, key: name.toLowerCase(), value: trimBlanks(line.slice(colon + 1)) }
}

/** Without spaces and tabs around it. Not `trim()`: that takes 0xa0 too, the last byte of an `à` in UTF-8. */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

/** Puts a field behind the others, unless it may stand only once and does. Then the answer is the warning. */
export function addField(fields: HeaderField[], field: HeaderField): string | null {
  if (!SINGLE.has(field.key) || !fields.some((other) => other.key === field.key)) {
    fields.push(field)
    return null
  }
  return `the script sent ${field.name} twice; the first counts, dropped ${quoted(field.value)}`
}

/** The failure of a head that is not as RFC 3875 section 6 has it. */
export function badHead(what: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail: `The head of the script's answer is malformed: ${what}` })
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function notAField(line: string, colon: number): FastCgiError {
  if (line.startsWith(' ') || line.startsWith('\t')) {
    return badHead(`a header is folded over two lines, which RFC 9112 section 5.2 ended, at ${quoted(line)}`)
  }
  if (colon === -1) return badHead(`header lines are "Name: value", one empty line ends them; found ${quoted(line)}`)
  return badHead(`${quoted(line.slice(0, colon))} is no name for a header (RFC 9110 section 5.1)`)
}
