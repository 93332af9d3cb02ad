import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestFacts } from '../../cgi/facts.ts'
import { utf8Bytes } from '../../cgi/path.ts'
import { quoted } from '../../cgi/quotation.ts'
import { FastCgiError } from '../../errors.ts'
import { addressesOf } from './addresses.ts'
import { type Authority, clientAuthority, parseAuthority } from './authority.ts'
import { clientAddress, firstOf, type TrustFunction, unmapAddress } from './forwarded.ts'
import { mountTakenOff, parseTarget, type RequestTarget } from './request-target.ts'
import { tlsFacts } from './tls-facts.ts'

/** Node's `req` with what Express, Connect and node:http2's compatibility API add to it. */
export interface HostRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly baseUrl?: string
  readonly app?: { get?(name: string): unknown }
  readonly stream?: { readonly session?: { readonly socket?: Socket } }
}

/**
 * What a request says. Reads only. `trustProxy` null: Express's own setting, outside Express nobody is trusted.
 * @throws FastCgiError ERR_FCGI_BAD_TARGET, ERR_FCGI_DUPLICATE_HEADER
 */
export function requestFacts(req: HostRequest, trustProxy: TrustFunction | null): RequestFacts {
  assertSingleHeaders(req)
  const { headers, socket } = req
  const trusted = trustedForwarding(req, trustProxy)
  const scheme = schemeOf(req, trusted !== null)
  const { inside, original, mount, atMount } = placeOf(req)
  const host = original.authority ?? pseudoAuthority(req) ?? headers.host
  const named = forwardedAuthority(headers, trusted) ?? (host === undefined ? null : clientAuthority(host))
  const addresses = addressesOf(socket)
  const { peer, serverAddress } = addresses
  const client = trusted === null ? peer : clientAddress(peer, joined(headers['x-forwarded-for']), trusted)
  return {
    method: req.method ?? 'GET',
    target: original.target,
    path: inside.path,
    query: inside.query,
    mount,
    atMount,
    protocol: `HTTP/${req.httpVersion}`,
    scheme,
    host,
    serverName: named === null || named.name === '' ? addressName(serverAddress) : named.name,
    serverPort: forwardedPort(headers, trusted) ?? portOf(named, scheme),
    serverAddress,
    remoteAddress: client === peer ? addresses.remoteAddress : unmapAddress(client),
    remotePort: client === peer ? addresses.remotePort : '',
    headers,
    tls: 'encrypted' in socket ? tlsFacts(req.stream?.session?.socket ?? socket) : undefined,
  }
}

/** Where a request points to. Both targets are handed on as they are: to spread one into a new object cost 3.5 µs. */
interface Place {
  readonly inside: RequestTarget
  /** As the client wrote it; without a mount the same as inside. */
  readonly original: RequestTarget
  readonly mount: string
  readonly atMount: boolean
}

function placeOf(req: HostRequest): Place {
  const { url, originalUrl } = req
  if (originalUrl === undefined || originalUrl === url) {
    const target = parseTarget(url)
    return { inside: target, original: target, mount: req.baseUrl ?? '', atMount: false }
  }
  const inside = parseTarget(byteString(url))
  const original = parseTarget(originalUrl)
  const mount = req.baseUrl ?? mountTakenOff(original.path, inside.path)
  return { inside, original, mount, atMount: inside.path === '/' && original.path === mount }
}

/** Another middleware may have written a URL of characters that are no bytes. */
function byteString(url: string | undefined): string | undefined {
  return url !== undefined && /[^\0-\xff]/.test(url) ? utf8Bytes(url) : url
}

/** Of two of these the backend could take the other one: request smuggling (RFC 9112 section 11.2). */
const SINGLE_HEADERS: readonly string[] = ['host', 'content-type', 'authorization', 'content-length']
const SINGLE_LENGTHS: ReadonlySet<number> = new Set(SINGLE_HEADERS.map((name) => name.length))

function assertSingleHeaders({ rawHeaders }: HostRequest): void {
  let seen = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!SINGLE_LENGTHS.has(name.length)) continue
    const position = SINGLE_HEADERS.indexOf(name.toLowerCase())
    if (position === -1) continue
    const bit = 1 << position
    if ((seen & bit) !== 0) throw duplicate(`The request has two headers ${name}`)
    seen |= bit
  }
}

function duplicate(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_DUPLICATE_HEADER', { detail })
}

/** HTTP/2's `:authority`; a Host beside it must not say something else (RFC 9113 section 8.3.1). */
function pseudoAuthority({ headers, httpVersionMajor }: HostRequest): string | undefined {
  if (httpVersionMajor < 2) return undefined
  const authority = headers[':authority']
  if (typeof authority !== 'string') return undefined
  if (headers.host === undefined || headers.host.toLowerCase() === authority.toLowerCase()) return authority
  throw duplicate(`Host says ${quoted(headers.host)}, :authority says ${quoted(authority)}`)
}

/** The trust function, if the peer has forwarded something and is trusted; else null. */
function trustedForwarding(req: HostRequest, trustProxy: TrustFunction | null): TrustFunction | null {
  const { headers } = req
  const hasForwarded =
    headers['x-forwarded-for'] !== undefined ||
    headers['x-forwarded-proto'] !== undefined ||
    headers['x-forwarded-host'] !== undefined ||
    headers['x-forwarded-port'] !== undefined
  if (!hasForwarded) return null
  const trust = trustProxy ?? req.app?.get?.('trust proxy fn')
  if (typeof trust !== 'function') return null
  return trust(req.socket.remoteAddress ?? '', 0) === true ? (trust as TrustFunction) : null
}

function schemeOf(req: HostRequest, trusted: boolean): 'http' | 'https' {
  const proto = trusted ? firstOf(req.headers['x-forwarded-proto'])?.toLowerCase() : undefined
  if (proto === 'https' || proto === 'http') return proto
  return 'encrypted' in req.socket && req.socket.encrypted === true ? 'https' : 'http'
}

function forwardedAuthority(headers: IncomingHttpHeaders, trusted: TrustFunction | null): Authority | null {
  const host = trusted === null ? undefined : firstOf(headers['x-forwarded-host'])
  return host === undefined || host === '' ? null : parseAuthority(host)
}

function forwardedPort(headers: IncomingHttpHeaders, trusted: TrustFunction | null): string | null {
  const port = trusted === null ? undefined : firstOf(headers['x-forwarded-port'])
  return port !== undefined && /^\d{1,5}$/.test(port) ? port : null
}

function portOf(named: Authority | null, scheme: 'http' | 'https'): string {
  if (named !== null && named.port !== '') return named.port
  return scheme === 'https' ? '443' : '80'
}

function joined(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',')
}

function addressName(address: string): string {
  if (address === '') return 'localhost'
  return address.includes(':') ? `[${address}]` : address
}
