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

/** What a script is told of. */
export interface RequestedScript {
  readonly facts: RequestFacts
  readonly script: Script
  readonly body: BodyFacts
}

/** A test holds it against package.json. */
const VERSION = '0.1.0'

/** SERVER_SOFTWARE. */
export const SERVER_SOFTWARE: string = `express-fastcgi/${VERSION}`

/** Takes variables one after another, each name once; value first, as a Map's forEach has it. */
export type TakeVariable = (value: string, name: string) => void

/**
 * The meta-variables of a request, before the operator's params; docs/environment.md explains each. Those come first that change least
 * from one request to the next: what they have in common is not encoded twice.
 */
export function forEachVariable(of: RequestedScript, take: TakeVariable): void {
  const { facts, script, body } = of
  tellServer(facts, take)
  tellScript(facts, script, take)
  take(facts.method, 'REQUEST_METHOD')
  if (facts.tls !== undefined) tellTls(facts.tls, take)
  tellHeaders(facts, body.dropContentEncoding, take)
  take(facts.target, 'REQUEST_URI')
  take(facts.query, 'QUERY_STRING')
  if (body.contentType !== undefined) take(body.contentType, 'CONTENT_TYPE')
  if (body.contentLength !== null) take(String(body.contentLength), 'CONTENT_LENGTH')
  take(facts.remoteAddress, 'REMOTE_ADDR')
  if (facts.remotePort !== '') take(facts.remotePort, 'REMOTE_PORT')
}

/** The same as a list, for whoever changes something of it. */
export function buildEnvironment(of: RequestedScript): Environment {
  const environment: Environment = new Variables()
  forEachVariable(of, (value, name) => environment.add(name, value))
  return environment
}

function tellServer(facts: RequestFacts, take: TakeVariable): void {
  take('CGI/1.1', 'GATEWAY_INTERFACE')
  take(SERVER_SOFTWARE, 'SERVER_SOFTWARE')
  // PHP built with --enable-force-cgi-redirect refuses to run without it.
  take('200', 'REDIRECT_STATUS')
  take(facts.protocol, 'SERVER_PROTOCOL')
  take(facts.scheme, 'REQUEST_SCHEME')
  if (facts.scheme === 'https') take('on', 'HTTPS')
  take(facts.serverName, 'SERVER_NAME')
  take(facts.serverPort, 'SERVER_PORT')
  if (facts.serverAddress !== '') take(facts.serverAddress, 'SERVER_ADDR')
}

/** php-fpm.md 2 tells why there is no PATH_TRANSLATED. */
function tellScript(facts: RequestFacts, script: Script, take: TakeVariable): void {
  const scriptName = decodeMount(facts.mount) + script.scriptName
  if (script.documentRoot !== '') take(script.documentRoot, 'DOCUMENT_ROOT')
  take(script.scriptFilename, 'SCRIPT_FILENAME')
  take(scriptName, 'SCRIPT_NAME')
  if (script.pathInfo !== '') take(script.pathInfo, 'PATH_INFO')
  take(scriptName + script.pathInfo, 'DOCUMENT_URI')
}

function decodeMount(mount: string): string {
  if (mount === '') return ''
  const { path } = decodePath(mount)
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function tellTls(tls: TlsFacts, take: TakeVariable): void {
  take(tls.protocol, 'SSL_PROTOCOL')
  take(tls.cipher, 'SSL_CIPHER')
  if (tls.client !== undefined) tellClientCertificate(tls.client, take)
}

function tellClientCertificate(client: ClientCertificate, take: TakeVariable): void {
  take('SUCCESS', 'SSL_CLIENT_VERIFY')
  take(utf8Bytes(client.subject), 'SSL_CLIENT_S_DN')
  take(utf8Bytes(client.issuer), 'SSL_CLIENT_I_DN')
  if (client.commonName !== undefined) take(utf8Bytes(client.commonName), 'SSL_CLIENT_S_DN_CN')
  take(client.serial, 'SSL_CLIENT_M_SERIAL')
  take(client.validFrom, 'SSL_CLIENT_V_START')
  take(client.validTo, 'SSL_CLIENT_V_END')
}

function tellHeaders(facts: RequestFacts, dropContentEncoding: boolean, take: TakeVariable): void {
  const { headers } = facts
  const names = Object.keys(headers)
  // Node's own are in lower case, and there once; other middleware may have added one in capitals.
  const latest = names.some(hasCapital) ? new Map<string, string>() : null
  const nominees = connectionNominees(headers.connection)
  for (const name of names) {
    const variable = headerVariable(name)
    if (variable === null || nominees.has(name) || variable === 'HTTP_HOST') continue
    if (dropContentEncoding && variable === 'HTTP_CONTENT_ENCODING') continue
    const value = headerValue(headers[name], name)
    if (value === null) continue
    if (latest === null) take(value, variable)
    else latest.set(variable, value)
  }
  latest?.forEach(take)
  if (facts.host !== undefined) take(facts.host, 'HTTP_HOST')
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
