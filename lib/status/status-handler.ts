import type { IncomingMessage, ServerResponse } from 'node:http'
import { OptionError } from '../errors.ts'
import { exportTo, type MetricsRegistry } from './exporter.ts'
import { requestedFormat } from './format.ts'
import type { ObservedGateway } from './observed.ts'
import { PAGE_POLICY, statusPage } from './page.ts'
import { createRegistry } from './prom-client.ts'
import { reportOf } from './report.ts'
import { Sampler } from './sampler.ts'

/** What `fastcgi.status()` may be told. */
export interface StatusOptions {
  /** A registry of prom-client that is to have the gateway's metrics too, so that one scrape has all. Default: one of its own. */
  readonly registry?: MetricsRegistry
  /** Milliseconds between two samples, and between two looks of the page; 100 to 60000. Default 2000. */
  readonly interval?: number
}

/** Tells of a gateway at any path: to be mounted on a route of its own, behind whatever keeps strangers out. */
export type StatusHandler = (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void

/** An answer before it is sent. */
interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

const DEFAULT_INTERVAL = 2000
const SHORTEST_INTERVAL = 100
const LONGEST_INTERVAL = 60_000

const PLAIN = 'text/plain; charset=utf-8'

/**
 * Makes a handler that shows how a gateway is: a page, JSON (`?format=json`) or Prometheus's text (`?format=prometheus`). Samples
 * are taken from now on, until `closed`.
 * @throws OptionError for a mistake in the options
 */
export function statusHandler(gateway: ObservedGateway, options: StatusOptions, closed: AbortSignal): StatusHandler {
  const { interval, registry } = checkOptions(options)
  const sampler = new Sampler(gateway, { interval, closed })
  if (registry !== undefined) exportTo(registry, gateway, closed)
  let own: Promise<MetricsRegistry | null> | null = null
  const ownRegistry = async (): Promise<MetricsRegistry | null> => {
    const created = await createRegistry()
    if (created !== null) exportTo(created, gateway, closed)
    return created
  }
  return (req, res, next) => {
    const answer = async (): Promise<Answer> => {
      switch (requestedFormat(req.url ?? '/', req.headers.accept)) {
        case 'html':
          return { status: 200, type: 'text/html; charset=utf-8', body: statusPage(reportOf(gateway, sampler)) }
        case 'json':
          return { status: 200, type: 'application/json', body: `${JSON.stringify(reportOf(gateway, sampler))}\n` }
        case 'prometheus':
          own ??= registry === undefined ? ownRegistry() : Promise.resolve(registry)
          return metricsAnswer(await own)
        case null:
          return { status: 400, type: PLAIN, body: 'format is one of html, json and prometheus\n' }
      }
    }
    respond(req, res, answer).catch((error: unknown) => {
      if (next !== undefined) return next(error)
      send(req, res, { status: 500, type: PLAIN, body: 'The status cannot be told\n' })
    })
  }
}

async function respond(req: IncomingMessage, res: ServerResponse, answer: () => Promise<Answer>): Promise<void> {
  if (req.method === 'GET' || req.method === 'HEAD') return send(req, res, await answer())
  send(req, res, { status: 405, type: PLAIN, body: 'GET or HEAD\n', headers: { Allow: 'GET, HEAD' } })
}

async function metricsAnswer(registry: MetricsRegistry | null): Promise<Answer> {
  if (registry !== null) return { status: 200, type: registry.contentType, body: await registry.metrics() }
  return {
    status: 501,
    type: PLAIN,
    body: 'Prometheus needs prom-client beside express-fastcgi: npm install prom-client\n',
  }
}

function send(req: IncomingMessage, res: ServerResponse, { status, type, body, headers }: Answer): void {
  res.writeHead(status, {
    ...headers,
    // What is left of a request's body is not waited for.
    ...(req.complete || req.httpVersionMajor > 1 ? {} : { Connection: 'close' }),
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Content-Security-Policy': PAGE_POLICY,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',
    Vary: 'Accept',
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

function checkOptions(options: StatusOptions): { readonly interval: number; readonly registry?: MetricsRegistry } {
  const { interval = DEFAULT_INTERVAL, registry, ...unknown } = options
  const [key] = Object.keys(unknown)
  if (key !== undefined)
    throw new OptionError(`status.${key}: there is no such option; there are registry and interval`)
  if (typeof interval !== 'number' || !(interval >= SHORTEST_INTERVAL && interval <= LONGEST_INTERVAL)) {
    const allowed = `a number of milliseconds from ${SHORTEST_INTERVAL} to ${LONGEST_INTERVAL}`
    throw new OptionError(`status.interval: ${JSON.stringify(interval)} is not ${allowed}`)
  }
  if (registry === undefined) return { interval }
  if (typeof registry?.registerMetric !== 'function' || typeof registry.metrics !== 'function') {
    throw new OptionError('status.registry: it is no registry of prom-client')
  }
  return { interval, registry }
}
