import { FastCgiError } from '../errors.ts'

/** The value of a response field; a list makes one line for each of its values. */
export type ResponseFieldValue = string | number | readonly string[]

/** Response fields by name. */
export type ResponseFields = Readonly<Record<string, ResponseFieldValue>>

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** RFC 9110 section 5.5: a tab, printable ASCII and bytes from 0x80 on. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The head of a CGI answer (RFC 3875 section 6), as a byte string.
 * @throws FastCgiError ERR_FCGI_BAD_RESPONSE when the status, a name or a value could not stand in HTTP
 */
export function formatHead(status: number, fields: ResponseFields): string {
  checkStatus(status)
  const lines = [`Status: ${status}`]
  for (const [name, value] of Object.entries(fields)) lines.push(...formatField(name, value))
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** @throws FastCgiError ERR_FCGI_BAD_RESPONSE unless HTTP has such a status */
export function checkStatus(status: number): void {
  if (!Number.isInteger(status) || status < 100 || status > 599) throw refused(`${status} is no HTTP status`)
}

/**
 * The lines of a field, without their ends.
 * @throws FastCgiError ERR_FCGI_BAD_RESPONSE when the name or the value could not stand in HTTP
 */
export function formatField(name: string, given: ResponseFieldValue): string[] {
  if (!TOKEN.test(name)) throw refused(`${JSON.stringify(name)} is no field name`)
  const values = typeof given === 'object' ? given : [String(given)]
  if (!values.every((value) => FIELD_VALUE.test(value)))
    throw refused(`The value of ${name} has characters that no field may have`)
  return values.map((value) => `${name}: ${value}`)
}

function refused(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail })
}
