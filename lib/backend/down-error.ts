import { FastCgiError } from '../errors.ts'
import type { Backend } from './backend.ts'

/** Milliseconds after which a client may come back at the latest. */
const LONGEST_ABSENCE = 60_000

/** None of a location's backends is up, and those that may be tried are being tried. */
export function downError(location: string, backends: readonly Backend[]): FastCgiError {
  const soonest = backends.reduce((least, { health }) => Math.min(least, health.retryIn), LONGEST_ABSENCE)
  const detail = `No server of ${location} is up: ${backends.map(describe).join('; ')}`
  // RFC 9110 section 10.2.3: whole seconds.
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(soonest / 1000))) }
  return new FastCgiError('ERR_FCGI_DOWN', { detail, headers, cause: backends[0]?.health.reason ?? undefined })
}

function describe({ description, health }: Backend): string {
  const { reason, downFor, retryIn } = health
  const why = reason === null ? '' : `: ${reason.code}: ${reason.detail}`
  const when = retryIn === 0 ? 'with the next request' : `in ${seconds(retryIn)}`
  return `${description} has been down for ${seconds(downFor)} and is tried again ${when}${why}`
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
