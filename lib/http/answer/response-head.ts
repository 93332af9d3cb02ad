import { STATUS_CODES } from 'node:http'
import type { HeaderField } from '../../cgi/response-fields.ts'
import { type ClientResponse, isOver, isStreamResponse } from './client-response.ts'

/** What is put before the client as the head of an answer. */
export interface OutgoingHead {
  readonly status: number
  readonly reason: string | undefined
  /** A Content-Length among them is passed over. */
  readonly fields: readonly HeaderField[]
  /** A name may stand among them more than once. */
  readonly repeats: boolean
  /** What Content-Length says; null: no such field. */
  readonly length: number | null
}

/** Fields of a list, which middleware may have begun (helmet, cors, sessions): the script's values go behind. */
const SHARED: ReadonlySet<string> = new Set(['set-cookie', 'vary'])

/** Lists that Node's HTTP/2 takes in one field only; joined they mean the same (RFC 9110 section 5.3). */
const JOINED: ReadonlySet<string> = new Set(['content-encoding', 'content-language'])

/** Whoever writes the body frames it: what middleware said about its framing is void. */
const FRAMING: readonly string[] = ['content-length', 'transfer-encoding', 'trailer']

/** Sends early hints (RFC 8297). Why they were not sent, if they were not. */
export function sendHints(res: ClientResponse, links: readonly string[]): string | null {
  if (isOver(res) || res.headersSent) return 'the answer is already given'
  if (links.length === 0) return 'they have no Link'
  // RFC 9110 section 15.2: HTTP/1.0 has no interim answers.
  if (res.req.httpVersion === '1.0') return null
  try {
    res.writeEarlyHints({ link: [...links] })
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Hands the head to Node, which sends it with the first bytes of the body (HTTP/2: at once). */
export function writeHead(res: ClientResponse, head: OutgoingHead): void {
  // Asked once: behind Express, which gives each response another prototype, every look at one takes several times as long.
  const present = res.getHeaderNames()
  if (present.length > 0) clearWay(res, head, present)
  for (const field of head.repeats ? merged(head.fields) : head.fields) setField(res, field, present)
  // Last, as Node reads the bytes of a Content-Disposition behind a Content-Length as UTF-8.
  if (head.length !== null) res.setHeader('Content-Length', head.length)
  // HTTP/2 has no reason phrase (RFC 9113 section 8.3.2).
  if (isStreamResponse(res)) res.writeHead(head.status)
  else {
    res.writeHead(head.status, head.reason ?? STATUS_CODES[head.status] ?? '')
    keepHeadBehindInterim(res)
  }
}

/** Takes away what middleware has set and is not true of this answer. */
function clearWay(res: ClientResponse, { fields }: OutgoingHead, present: readonly string[]): void {
  for (const name of FRAMING) if (present.includes(name)) res.removeHeader(name)
  // X-Powered-By is PHP's own: without one (expose_php off) Express's default would be untrue.
  if (!present.includes('x-powered-by') || fields.some(({ key }) => key === 'x-powered-by')) return
  if (res.getHeader('x-powered-by') === 'Express') res.removeHeader('x-powered-by')
}

/**
 * While an answer waits its turn on its connection (pipelining), Node puts its head before all that it holds of it, unless text comes
 * with the head: a 100 or early hints would then stand in the body, and what they push out would begin the next answer. HTTP/1 alone.
 */
export function keepHeadBehindInterim(res: ClientResponse): void {
  if (res.socket === null) res.write('', 'latin1')
}

/** A header as Node takes it: all values of one name. */
interface NodeHeader {
  readonly name: string
  readonly key: string
  readonly value: string | readonly string[]
}

/** Sets a field in the stead of what middleware has set (`present`), or behind that. */
function setField(res: ClientResponse, { name, key, value }: NodeHeader, present: readonly string[]): void {
  if (key === 'content-length') return
  const earlier = SHARED.has(key) && present.includes(key) ? listed(res.getHeader(key)) : []
  res.setHeader(name, earlier.length === 0 && typeof value === 'string' ? value : [...earlier, ...listed(value)])
}

/**
 * One header for each name, under the spelling that came first. Not one array for `writeHead`, which middleware that wraps it
 * (sessions, compression) does not understand when a field stands in it twice.
 */
function merged(fields: readonly HeaderField[]): Iterable<NodeHeader> {
  const headers = new Map<string, { readonly name: string; readonly key: string; value: string | string[] }>()
  for (const { name, key, value } of fields) {
    const header = headers.get(key)
    if (header === undefined) headers.set(key, { name, key, value })
    else if (JOINED.has(key)) header.value = `${header.value}, ${value}`
    else if (typeof header.value === 'string') header.value = [header.value, value]
    else header.value.push(value)
  }
  return headers.values()
}

function listed(value: number | string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'object' ? value : [String(value)]
}
