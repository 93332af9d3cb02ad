import type { ResponseHead } from '../../cgi/response-head.ts'
import { FastCgiError } from '../../errors.ts'

/** A script's error status that `interceptErrors` hands to the host. */
export function interceptedError(head: ResponseHead): FastCgiError {
  return new FastCgiError('ERR_FCGI_INTERCEPTED', {
    status: head.status,
    headers: headersOfStatus(head),
    detail: `The script answered ${head.status}, and interceptErrors is on`,
  })
}

/** What the host's page of the script's status cannot do without (RFC 9110 sections 10.2.1, 10.2.3 and 11.6.1). */
const STATUS_FIELDS: readonly string[] = ['www-authenticate', 'allow', 'retry-after']

function headersOfStatus(head: ResponseHead): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const { key, name, value } of head.fields) {
    if (!STATUS_FIELDS.includes(key)) continue
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}
