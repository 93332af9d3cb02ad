import type { ClientCertificate, RequestFacts, TlsFacts } from './facts.ts'
import { connectionNominees, headerVariable } from './header-variable.ts'
import { decodePath, utf8Bytes } from './path.ts'
import type { Script } from './script.ts'
import { Variables } from './variables.ts'

/** Meta-variables of one request (RFC 3875 section 4.1): byte strings, in the order in which they are sent. */
export type Environment = Variables

/** What is known of the body that will be sent as STDIN. */
export interface BodyFacts {
  /** The bytes of STDIN; null: the request has no body. */
  readonly contentLength: number | null
  readonly contentType: string | undefined
  /** The body was decoded or written anew, so that the client's Content-Encoding no longer holds. */
  readonly dropContentEncoding: boolean
}

/** A test holds it against package.json. */
const VERSION = '0.1.0'

/** SERVER_SOFTWARE. */
export const SERVER_SOFTWARE: string = `express-fastcgi/${VERSION}`

/**
 * The meta-variables of a request, before the operator's params; docs/environment.md explains each. Those come first that change least
 * from one request to the next: what they have in common is not encoded twice.
 */
export function buildEnvironment(facts: RequestFacts, script: Script, body: BodyFacts): Environment {
  const environment: Environment = new Variables()
  addServer(environment, facts)
  addScript(environment, facts, script)
  environment.add('REQUEST_METHOD', facts.method)
  environment.add('REQUEST_URI', facts.target)
  environment.add('QUERY_STRING', facts.query)
  if (body.contentType !== undefined) environment.add('CONTENT_TYPE', body.contentType)
  if (body.contentLength !== null) environment.add('CONTENT_LENGTH', String(body.contentLength))
  environment.add('REMOTE_ADDR', facts.remoteAddress)
  if (facts.remotePort !== '') environment.add('REMOTE_PORT', facts.remotePort)
  if (facts.tls !== undefined) addTls(environment, facts.tls)
  addHeaders(environment, facts, body.dropContentEncoding)
  return environment
}

function addServer(environment: Environment, facts: RequestFacts): void {
  environment.add('GATEWAY_INTERFACE', 'CGI/1.1')
  environment.add('SERVER_SOFTWARE', SERVER_SOFTWARE)
  // PHP built with --enable-force-cgi-redirect refuses to run without it.
  environment.add('REDIRECT_STATUS', '200')
  environment.add('SERVER_PROTOCOL', facts.protocol)
  environment.add('REQUEST_SCHEME', facts.scheme)
  if (facts.scheme === 'https') environment.add('HTTPS', 'on')
  environment.add('SERVER_NAME', facts.serverName)
  environment.add('SERVER_PORT', facts.serverPort)
  if (facts.serverAddress !== '') environment.add('SERVER_ADDR', facts.serverAddress)
}

/** php-fpm.md 2 tells why there is no PATH_TRANSLATED. */
function addScript(environment: Environment, facts: RequestFacts, script: Script): void {
  const scriptName = decodeMount(facts.mount) + script.scriptName
  if (script.documentRoot !== '') environment.add('DOCUMENT_ROOT', script.documentRoot)
  environment.add('SCRIPT_FILENAME', script.scriptFilename)
  environment.add('SCRIPT_NAME', scriptName)
  if (script.pathInfo !== '') environment.add('PATH_INFO', script.pathInfo)
  environment.add('DOCUMENT_URI', scriptName + script.pathInfo)
}

function decodeMount(mount: string): string {
  if (mount === '') return ''
  const { path } = decodePath(mount)
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function addTls(environment: Environment, tls: TlsFacts): void {
  environment.add('SSL_PROTOCOL', tls.protocol)
  environment.add('SSL_CIPHER', tls.cipher)
  if (tls.client !== undefined) addClientCertificate(environment, tls.client)
}

function addClientCertificate(environment: Environment, client: ClientCertificate): void {
  environment.add('SSL_CLIENT_VERIFY', 'SUCCESS')
  environment.add('SSL_CLIENT_S_DN', utf8Bytes(client.subject))
  environment.add('SSL_CLIENT_I_DN', utf8Bytes(client.issuer))
  if (client.commonName !== undefined) environment.add('SSL_CLIENT_S_DN_CN', utf8Bytes(client.commonName))
  environment.add('SSL_CLIENT_M_SERIAL', client.serial)
  environment.add('SSL_CLIENT_V_START', client.validFrom)
  environment.add('SSL_CLIENT_V_END', client.validTo)
}

function addHeaders(environment: Environment, facts: RequestFacts, dropContentEncoding: boolean): void {
  const { headers } = facts
  const nominees = connectionNominees(headers.connection)
  const names = Object.keys(headers)
  // Node's own are in lower case, and there once; other middleware may have added one in capitals.
  const areUnique = !names.some(hasCapital)
  for (const name of names) {
    const variable = headerVariable(name)
    if (variable === null || nominees.has(name) || variable === 'HTTP_HOST') continue
    if (dropContentEncoding && variable === 'HTTP_CONTENT_ENCODING') continue
    const value = headerValue(headers[name], name)
    if (value === null) continue
    if (areUnique) environment.add(variable, value)
    else environment.set(variable, value)
  }
  if (facts.host !== undefined) environment.add('HTTP_HOST', facts.host)
}

function hasCapital(name: string): boolean {
  return /[A-Z]/.test(name)
}

/** CR, LF and NUL, which only another middleware can have put there, and characters that are no bytes. */
const UNUSUAL = /[\0\r\n]|[^\0-\xff]/

/** A header's value as a byte string; null: not sent. Other middleware may have set anything at all. */
function headerValue(value: unknown, name: string): string | null {
  if (typeof value === 'string') return UNUSUAL.test(value) ? unusualValue(value) : value
  if (Array.isArray(value)) return headerValue(value.map(String).join(name === 'cookie' ? '; ' : ', '), name)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function unusualValue(value: string): string | null {
  return /[\0\r\n]/.test(value) ? null : utf8Bytes(value)
}

/**
 * Writes the operator's params (Unicode) over what was computed; an empty or undefined value takes the variable away. Keeps
 * names unique also after PHP's folding of dots, spaces and brackets, of which the first sent would win (php-fpm.md 1).
 */
export function applyParams(environment: Environment, params: Iterable<readonly [string, string | undefined]>): void {
  const unfolded = new Map<string, string>()
  for (const [name, value] of params) {
    const folded = name.replace(/[ .[]/g, '_')
    environment.delete(folded)
    environment.delete(unfolded.get(folded) ?? folded)
    if (value === undefined || value === '') continue
    environment.set(name, utf8Bytes(value))
    if (name !== folded) unfolded.set(folded, name)
  }
}
