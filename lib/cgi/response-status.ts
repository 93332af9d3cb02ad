import { quoted } from './quotation.ts'
import { badHead, trimBlanks } from './response-fields.ts'

/** A status and, if the script wrote one, its reason phrase. */
export interface ResponseStatus {
  readonly status: number
  readonly reason: string | undefined
}

/** RFC 3875 section 6.3.3; the reason phrase may be missing. */
const STATUS = /^([0-9]{3})(?:[ \t]+(.*))?$/

/** RFC 9112 section 4: scripts that were written as if they were the server (`nph-`). */
const STATUS_LINE = /^HTTP\/[0-9](?:\.[0-9])? (.*)$/

/** The value of a Status field. Throws {@link FastCgiError} for what cannot be the status of an answer. */
export function parseStatus(value: string): ResponseStatus {
  const [, digits, reason = ''] = STATUS.exec(value) ?? []
  if (digits === undefined) throw badHead(`a Status is three digits and a reason, found ${quoted(value)}`)
  const status = Number(digits)
  if (!isFinal(status) && status !== 103) throw badHead(`a Status is 200 to 599, or 103; found ${quoted(value)}`)
  return { status, reason: reason === '' ? undefined : reason }
}

/** The status of a head whose first line is that of HTTP; null where the line is another. */
export function parseStatusLine(line: string): ResponseStatus | null {
  if (!line.startsWith('HTTP/')) return null
  const value = STATUS_LINE.exec(line)?.[1]
  if (value === undefined) throw badHead(`the first line is neither a header nor a status line: ${quoted(line)}`)
  return parseStatus(trimBlanks(value))
}

function isFinal(status: number): boolean {
  return status >= 200 && status <= 599
}
