import { quoted } from '../../cgi/quotation.ts'
import { FastCgiError } from '../../errors.ts'

/** A host with its port, as of a Host header. */
export interface Authority {
  /** Lower case, without a dot at the end; IPv6 in brackets. */
  readonly name: string
  /** Empty where none was given. */
  readonly port: string
}

const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::(\d{0,5}))?$/

/** The parts of `host[:port]`, or null for what is no authority that a client can mean. */
export function parseAuthority(text: string): Authority | null {
  const found = AUTHORITY.exec(text)
  if (found === null) return null
  const name = (found[1] ?? '').toLowerCase()
  return { name: name.endsWith('.') ? name.slice(0, -1) : name, port: found[2] ?? '' }
}

/**
 * The parts of the host that a client gave.
 * @throws FastCgiError ERR_FCGI_BAD_TARGET for one that is malformed (RFC 9112 section 3.2)
 */
export function clientAuthority(text: string): Authority {
  const authority = parseAuthority(text)
  if (authority !== null) return authority
  throw new FastCgiError('ERR_FCGI_BAD_TARGET', { detail: `The host is malformed: ${quoted(text)}` })
}
