// One client span for each request that goes to FastCGI, from the diagnostics channels. Copy it, or parts of it.
import { subscribe } from 'node:diagnostics_channel'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'

/** The spans under way: by the number that the messages of one request share, and by what functions of `params` are given. */
const spans = new Map()
const spansByReq = new WeakMap()

/** Makes spans from now on, as children of whatever span is active when the request comes in. */
export function traceFastCgi(tracer = trace.getTracer('express-fastcgi')) {
  subscribe('express-fastcgi:request:start', ({ request, req, method, url, location }) => {
    const [path, query] = url.split('?', 2)
    const attributes = { 'http.request.method': method, 'url.path': path, 'fastcgi.location': location }
    if (query !== undefined) attributes['url.query'] = query
    const span = tracer.startSpan(`${method} ${location}`, { kind: SpanKind.CLIENT, attributes })
    spans.set(request, span)
    spansByReq.set(req, span)
  })

  subscribe('express-fastcgi:backend:attempt', ({ request, server, address }) => {
    spans.get(request)?.setAttributes({ 'fastcgi.server': server, ...addressAttributes(address) })
  })

  subscribe('express-fastcgi:backend:retry', ({ request, server, attempt, error }) => {
    const reason = { 'fastcgi.server': server, 'error.type': error.code, 'exception.message': error.detail }
    spans.get(request)?.addEvent('retry', reason).setAttribute('http.request.resend_count', attempt)
  })

  subscribe('express-fastcgi:request:end', ({ request, status }) => {
    const span = take(request)
    span?.setAttribute('http.response.status_code', status)
    // So the conventions for clients have it; write 500 where a 404 is nothing to look at.
    if (status >= 400) span?.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
  })

  subscribe('express-fastcgi:request:error', ({ request, error }) => {
    const span = take(request)
    // The detail may name paths and addresses: it is for you, as the log is. The message is for anybody.
    span?.recordException({ name: error.code, message: error.detail })
    span?.setAttribute('error.type', error.code).setStatus({ code: SpanStatusCode.ERROR, message: error.message })
    span?.end()
  })
}

function take(request) {
  const span = spans.get(request)
  spans.delete(request)
  return span
}

function addressAttributes(address) {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address ?? '') ?? []
  if (port === undefined) return { 'network.transport': 'unix', 'server.address': address ?? '' }
  return { 'network.transport': 'tcp', 'server.address': host, 'server.port': Number(port) }
}

/** Options `params` that take the span to PHP (W3C Trace Context), in the place of whatever the client has sent. */
export const traceParams = {
  HTTP_TRACEPARENT: (req) => carrierOf(req).traceparent,
  HTTP_TRACESTATE: (req) => carrierOf(req).tracestate,
}

function carrierOf(req) {
  const carrier = {}
  const span = spansByReq.get(req)
  if (span !== undefined) propagation.inject(trace.setSpan(context.active(), span), carrier)
  return carrier
}
