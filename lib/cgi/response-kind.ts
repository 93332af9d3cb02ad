import { quoted } from './quotation.ts'
import type { HeaderField } from './response-fields.ts'
import { badHead, trimBlanks } from './response-fields.ts'
import type { ResponseHead } from './response-head.ts'

/** What a head asks for (RFC 3875 section 6.2); early hints are RFC 8297's. */
export type ResponseKind = 'document' | 'client-redirect' | 'local-redirect' | 'early-hints'

/** What a head asks for. */
export function responseKind(head: ResponseHead): ResponseKind {
  if (head.status === 103) return 'early-hints'
  const location = fieldValue(head.fields, 'location')
  if (head.statusGiven || location === undefined || location === '') return 'document'
  return isLocal(head.fields, location) ? 'local-redirect' : 'client-redirect'
}

/** RFC 3875 section 6.2.2: a path and query of this server in a Location that stands alone; `//host` is another server's. */
function isLocal(fields: readonly HeaderField[], location: string): boolean {
  return fields.length === 1 && location.startsWith('/') && !location.startsWith('//') && !location.includes('#')
}

/** Whether content may follow the head (RFC 9110 sections 9.3.2, 15.3.5, 15.3.6, 15.4.5). */
export function mayHaveContent(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304
}

/** The Content-Length of a head, null without one. Throws for what is no length and for two that differ. */
export function contentLength(fields: readonly HeaderField[]): number | null {
  let length: number | null = null
  for (const field of fields) {
    if (field.key !== 'content-length') continue
    const value = /^[0-9]+$/.test(field.value) ? Number(field.value) : Number.NaN
    if (!Number.isSafeInteger(value)) throw badHead(`the Content-Length ${quoted(field.value)} is no number of bytes`)
    if (length !== null && length !== value) throw badHead(`two Content-Lengths differ, ${length} and ${value}`)
    length = value
  }
  return length
}

/** The value of the first field of that name (lower case). */
export function fieldValue(fields: readonly HeaderField[], key: string): string | undefined {
  return fields.find((field) => field.key === key)?.value
}

/** The links of early hints, one by one; a comma within `<…>` or quotes separates nothing (RFC 8288 section 3). */
export function hintedLinks(fields: readonly HeaderField[]): string[] {
  const links: string[] = []
  for (const field of fields) {
    if (field.key === 'link') links.push(...(field.value.match(/(?:<[^<>]*>|"[^"]*"|[^,<"])+/g) ?? []))
  }
  return links.map(trimBlanks).filter((link) => link !== '')
}
