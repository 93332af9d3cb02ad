/**
 * Names that never become an HTTP_ variable: those that CGI has as its own variables (RFC 3875 section 4.1.18), those of
 * one hop alone (RFC 9110 section 7.6.1), `Proxy` (httpoxy, CVE-2016-5385) and those by which frameworks let a front
 * server replace the path (CVE-2018-14773 in Symfony and Drupal).
 */
const WITHHELD: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'keep-alive',
  'proxy',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-original-url',
  'x-rewrite-url',
])

/** Names made up by clients are remembered up to this number, so that they cannot fill the memory. */
const REMEMBERED_NAMES = 512

const remembered = new Map<string, string | null>()

/**
 * The HTTP_ variable of a header, or null for one that is not passed on. Only letters, digits and hyphens pass: an
 * underscore, a dot or a space would fold to the variable of another header (php-fpm.md 1).
 */
export function headerVariable(name: string): string | null {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const variable = computeVariable(name)
  if (remembered.size < REMEMBERED_NAMES) remembered.set(name, variable)
  return variable
}

function computeVariable(name: string): string | null {
  if (!/^[A-Za-z0-9-]+$/.test(name)) return null
  const lowerCase = name.toLowerCase()
  if (WITHHELD.has(lowerCase) || lowerCase.startsWith('redirect-')) return null
  return `HTTP_${name.toUpperCase().replaceAll('-', '_')}`
}

/**
 * What a client cannot take away by naming it in Connection (CVE-2022-31813, Apache): what a proxy in front or the
 * application's access control relies on. Names, and beginnings of names that end in a hyphen.
 */
const NOT_NOMINABLE: ReadonlySet<string> = new Set([
  'accept',
  'authorization',
  'cache-control',
  'client-cert',
  'cookie',
  'date',
  'expect',
  'forwarded',
  'from',
  'host',
  'origin',
  'pragma',
  'range',
  'referer',
  'traceparent',
  'via',
])
const NOT_NOMINABLE_BEGINNINGS: readonly string[] = [
  'accept-',
  'access-',
  'akamai-',
  'api-',
  'auth-',
  'cf-',
  'client-',
  'cloudfront-',
  'content-',
  'fastly-',
  'fly-',
  'front-',
  'if-',
  'oidc-',
  'remote-',
  'sec-',
  'ssl-',
  'tailscale-',
  'true-client-',
  'user-',
  'x-',
]

const NONE: ReadonlySet<string> = new Set()

/** The header names, lower case, that a Connection header takes away (RFC 9110 section 7.6.1). */
export function connectionNominees(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return NONE
  const names = connection.split(',').map((name) => name.trim().toLowerCase())
  return new Set(names.filter((name) => !isProtected(name)))
}

function isProtected(name: string): boolean {
  return NOT_NOMINABLE.has(name) || NOT_NOMINABLE_BEGINNINGS.some((beginning) => name.startsWith(beginning))
}
