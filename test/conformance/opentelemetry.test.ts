import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, it } from 'node:test'
import { context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { fastcgi } from '../../lib/index.ts'
import type { FastCgiOptions } from '../../lib/options/types.ts'
import { phpRoot } from '../support/gateway.ts'
import { type Answer, ask } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { listen } from '../support/site.ts'

/** examples/opentelemetry/tracing.mjs, as docs/observability.md shows it. */
interface Recipe {
  traceFastCgi(): void
  readonly traceParams: Exclude<FastCgiOptions['params'], undefined>
}

const RECIPE = new URL('../../examples/opentelemetry/tracing.mjs', import.meta.url).href
const CLIENTS_TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

backend('php-fpm').describe('the recipe for OpenTelemetry', () => {
  const exporter = new InMemorySpanExporter()
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  let recipe: Recipe
  let fpm: PhpFpm
  let overTcp: PhpFpm

  before(async () => {
    provider.register()
    recipe = (await import(RECIPE)) as Recipe
    recipe.traceFastCgi()
    fpm = await startPhpFpm()
    overTcp = await startPhpFpm({ listen: 'tcp' })
  })
  beforeEach(() => exporter.reset())
  after(async () => {
    await provider.shutdown()
    await fpm?.stop()
    await overTcp?.stop()
  })

  /** Asks through a gateway, inside a server's span. */
  async function asked(
    path: string,
    options: FastCgiOptions,
  ): Promise<{ answer: Answer; span: ReadableSpan; parent: Span }> {
    const php = fastcgi({ root: phpRoot, params: recipe.traceParams, logger: false, ...options })
    const parent = trace.getTracer('test').startSpan('the host')
    const site = await listen((req, res) => context.with(trace.setSpan(context.active(), parent), () => php(req, res)))
    const answer = await ask(site.url + path, { headers: { traceparent: CLIENTS_TRACEPARENT, tracestate: 'theirs=1' } })
    await site.close()
    await php.close()
    const [span, ...others] = exporter.getFinishedSpans()
    assert.ok(span !== undefined && others.length === 0, `${others.length + 1} spans`)
    return { answer, span, parent }
  }

  it('is the one that docs/observability.md shows', () => {
    const document = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8')
    assert.ok(document.includes(`\`\`\`javascript\n${readFileSync(new URL(RECIPE), 'utf8')}\`\`\``))
  })

  it('makes one client span a request, below the span of the host', async () => {
    const { span, parent } = await asked('/server.php?a=1', { server: fpm.address })
    assert.equal(span.name, 'GET location_0')
    assert.equal(span.kind, SpanKind.CLIENT)
    assert.equal(span.parentSpanContext?.spanId, parent.spanContext().spanId)
    assert.equal(span.status.code, SpanStatusCode.UNSET)
    assert.deepEqual(span.attributes, {
      'http.request.method': 'GET',
      'url.path': '/server.php',
      'url.query': 'a=1',
      'http.response.status_code': 200,
      'fastcgi.location': 'location_0',
      'fastcgi.server': 'default',
      'network.transport': 'unix',
      'server.address': fpm.address,
    })
  })

  it('takes the span to PHP, in the place of what the client has sent', async () => {
    const { answer, span } = await asked('/server.php', { server: fpm.address })
    const { traceId, spanId } = span.spanContext()
    const { HTTP_TRACEPARENT, HTTP_TRACESTATE } = JSON.parse(answer.text)
    assert.equal(HTTP_TRACEPARENT, `00-${traceId}-${spanId}-01`)
    assert.equal(HTTP_TRACESTATE, undefined)
  })

  it('names host and port of a backend over TCP', async () => {
    const { span } = await asked('/server.php', { server: overTcp.address })
    const { 'network.transport': transport, 'server.address': address, 'server.port': port } = span.attributes
    assert.deepEqual([transport, `${address}:${port}`], ['tcp', overTcp.address])
  })

  it('tells the status of a script that fails', async () => {
    const { span } = await asked('/status.php?code=503', { server: fpm.address })
    assert.equal(span.attributes['http.response.status_code'], 503)
    assert.equal(span.attributes['error.type'], '503')
    assert.equal(span.status.code, SpanStatusCode.ERROR)
  })

  it('records a failure with what the log has of it', async () => {
    const nobody = join(fpm.directory, 'nobody.sock')
    const { answer, span } = await asked('/server.php', { server: nobody, retries: 0 })
    assert.equal(answer.status, 502)
    assert.equal(span.attributes['error.type'], 'ERR_FCGI_CONNECT')
    assert.equal(span.attributes['server.address'], nobody)
    assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message: 'The FastCGI backend cannot be reached' })
    const [exception] = span.events
    assert.equal(exception?.name, 'exception')
    assert.match(String(exception?.attributes?.['exception.message']), /nobody\.sock/)
  })

  it('tells of another attempt, and which backend answered in the end', async () => {
    const { span } = await asked('/server.php', {
      servers: [
        { name: 'dead', address: join(fpm.directory, 'nobody.sock') },
        { name: 'alive', address: fpm.address },
      ],
      balance: 'fill',
    })
    assert.equal(span.attributes['http.response.status_code'], 200)
    assert.equal(span.attributes['http.request.resend_count'], 1)
    assert.equal(span.attributes['fastcgi.server'], 'alive')
    assert.deepEqual(
      span.events.map(({ name, attributes }) => [name, attributes?.['fastcgi.server'], attributes?.['error.type']]),
      [['retry', 'dead', 'ERR_FCGI_CONNECT']],
    )
  })
})
