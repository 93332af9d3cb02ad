import { FastCgiError } from '../errors.ts'

/** Response fields; a list makes one line for each of its values. */
export type ResponseFields = Readonly<Record<string, string | number | readonly string[]>>

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** RFC 9110 section 5.5: a tab, printable ASCII and bytes from 0x80 on. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The head of a CGI answer (RFC 3875 section 6), as a byte string.
 * @throws FastCgiError ERR_FCGI_BAD_RESPONSE when the status, a name or a value could not stand in HTTP
 */
export function formatHead(status: number, fields: ResponseFields): string {
  if (!Number.isInteger(status) || status < 100 || status > 599) throw refused(`${status} is no HTTP status`)
  const lines = [`Status: ${status}`]
  for (const [name, given] of Object.entries(fields)) {
    if (!TOKEN.test(name)) throw refused(`${JSON.stringify(name)} is no field name`)
    const values = typeof given === 'object' ? given : [String(given)]
    for (const value of values) {
      if (!FIELD_VALUE.test(value)) throw refused(`The value of ${name} has characters that no field may have`)
      lines.push(`${name}: ${value}`)
    }
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

function refused(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail })
}
