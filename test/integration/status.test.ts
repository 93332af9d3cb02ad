import assert from 'node:assert/strict'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import express from 'express'
import { Counter, Registry, register } from 'prom-client'
import { fastcgi } from '../../lib/index.ts'
import type { FastCgiHandler } from '../../lib/middleware.ts'
import { parseExposition } from '../support/exposition.ts'
import { type Answer, ask, askJson } from '../support/http-client.ts'
import { listen as listenOn } from '../support/listen.ts'
import { type Fake, startFake } from '../support/responder.ts'
import { listen, type Site } from '../support/site.ts'

const quiet = { logger: false } as const

describe('fastcgi.status()', () => {
  let fake: Fake
  let php: FastCgiHandler
  let site: Site
  let status: string

  before(async () => {
    fake = await startFake((request) => {
      if (request.params.get('REQUEST_URI') === '/broken') return request.connection.close()
      return request.answer('Content-Type: text/plain\r\n\r\nhello')
    })
    php = fastcgi({
      servers: [{ name: 'app', address: fake.address }],
      match: /^/,
      scriptFilename: '/secret/script.php',
      retries: 0,
      ...quiet,
    })
    const app = express()
    app.use('/mounted', fastcgi.status(php))
    app.get('/routed', fastcgi.status(php, { interval: 100 }))
    app.use(php)
    app.use(((_error, _req, res, _next) => void res.sendStatus(502)) satisfies express.ErrorRequestHandler)
    site = await listen(app)
    status = `${site.url}/mounted`
    await ask(`${site.url}/a`)
    await ask(`${site.url}/b`)
    await ask(`${site.url}/broken`)
  })
  after(async () => {
    await site.close()
    await php.close()
    await fake.stop()
  })

  it('answers a browser with a page of the numbers of now', async () => {
    const { status: code, headers, text } = await ask(status, { headers: { Accept: 'text/html,*/*;q=0.8' } })
    assert.equal(code, 200)
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
    assert.match(text, /<main data-status="up">/)
    assert.match(text, /2 answered, 1 failed/)
    assert.match(text, /<code>ERR_FCGI_RESET<\/code>/)
  })

  it('tells the same as JSON', async () => {
    const report = await askJson<Report>(`${status}?format=json`)
    const accepted = await askJson<Report>(status, { headers: { Accept: 'application/json' } })
    assert.equal(accepted.servers[0]?.requests, 2)
    const { servers, locations, totals, history, pid, uptime, worker } = report
    assert.equal(pid, process.pid)
    assert.equal(worker, null)
    assert.ok(uptime > 0)
    assert.deepEqual([totals.requests, totals.failures], [2, 1])
    assert.deepEqual(
      servers.map(({ server, address, state, requests }) => [server, address, state, requests]),
      [['app', fake.address, 'up', 2]],
    )
    assert.deepEqual(
      locations.map(({ servers }) => servers),
      [['app']],
    )
    assert.equal(history.interval, 2000)
    assert.equal(history.times.length, servers[0]?.history.open.length)
    const [error] = servers[0]?.lastErrors ?? []
    assert.equal(error?.code, 'ERR_FCGI_RESET')
    assert.ok(Math.abs(Date.now() - (error?.time ?? 0)) < 100_000)
  })

  it('shows no script to anybody', async () => {
    for (const format of ['html', 'json', 'prometheus']) {
      assert.doesNotMatch((await ask(`${status}?format=${format}`)).text, /secret|script\.php|\/broken/)
    }
  })

  it('tells Prometheus, which asks by its Accept header or by the query', async () => {
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
    for (const answer of [
      await ask(`${status}?format=prometheus`),
      await ask(status, { headers: { Accept: accept } }),
    ]) {
      assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
      const families = parseExposition(answer.text)
      const labels = { server: 'app', address: fake.address }
      assert.deepEqual(families.get('express_fastcgi_requests_total')?.series, [
        { name: 'express_fastcgi_requests_total', labels, value: 2 },
      ])
      const { series = [] } = families.get('express_fastcgi_request_duration_seconds') ?? {}
      assert.equal(series.at(-1)?.value, 2)
    }
    assert.equal(register.getMetricsAsArray().length, 0)
  })

  it('puts its metrics beside those of the user', async () => {
    const registry = new Registry()
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc()
    const other = fastcgi({ server: fake.address, match: /^/, scriptFilename: '/x.php', ...quiet })
    const handler = fastcgi.status(other, { registry })
    const families = parseExposition(await registry.metrics())
    assert.ok(families.has('orders_total') && families.has('express_fastcgi_requests_total'))
    const own = await listen((req, res) => handler(req, res))
    assert.ok(parseExposition((await ask(`${own.url}?format=prometheus`)).text).has('orders_total'))
    await own.close()
    await other.close()
    assert.ok(!parseExposition(await registry.metrics()).has('express_fastcgi_requests_total'))
  })

  it('takes samples until the gateway is closed', async () => {
    const other = fastcgi({ server: fake.address, match: /^/, scriptFilename: '/x.php', ...quiet })
    const handler = fastcgi.status(other, { interval: 100 })
    const own = await listen((req, res) => handler(req, res))
    const count = async (): Promise<number> => (await askJson<Report>(`${own.url}?format=json`)).history.times.length
    while ((await count()) < 4);
    await other.close()
    const last = await count()
    await new Promise((resolve) => setTimeout(resolve, 250))
    assert.equal(await count(), last)
    await own.close()
  })

  const guards: Readonly<Record<string, RegExp>> = {
    'cache-control': /^no-store$/,
    'x-content-type-options': /^nosniff$/,
    'x-frame-options': /^DENY$/,
    'content-security-policy': /^default-src 'none'; .*frame-ancestors 'none'$/,
    'cross-origin-resource-policy': /^same-origin$/,
    'referrer-policy': /^no-referrer$/,
  }

  function assertGuarded({ headers }: Answer): void {
    for (const [name, value] of Object.entries(guards)) assert.match(String(headers[name]), value, name)
  }

  it('guards every answer against caches, frames and foreign content', async () => {
    for (const query of ['', '?format=json', '?format=prometheus', '?format=nonsense']) {
      assertGuarded(await ask(status + query))
    }
    assertGuarded(await ask(status, { method: 'POST' }))
  })

  it('answers GET and HEAD alone', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await ask(status, { method, body: 'x'.repeat(100_000) })
      assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD'], method)
    }
    const [head, get] = [await ask(status, { method: 'HEAD' }), await ask(`${status}?format=nonsense`)]
    assert.deepEqual([head.status, head.text], [200, ''])
    assert.ok(Number(head.headers['content-length']) > 5000)
    assert.deepEqual([get.status, get.text], [400, 'format is one of html, json and prometheus\n'])
  })

  it('is found with and without a slash, as a route too', async () => {
    for (const path of ['/mounted', '/mounted/', '/mounted?format=html', '/routed', '/routed/?format=html']) {
      assert.match((await ask(site.url + path)).text, /<main data-status/, path)
    }
    assert.equal((await askJson<Report>(`${site.url}/routed?format=json`)).history.interval, 100)
  })

  it('serves under node:http and HTTP/2 without a framework', async () => {
    const handler = fastcgi.status(php)
    const plain = await listen((req, res) => handler(req, res))
    assert.match((await ask(plain.url)).text, /<main data-status/)
    await plain.close()
    await using server = await listenOn(createHttp2Server((req, res) => handler(req as never, res as never)))
    const client = connectHttp2(`http://127.0.0.1:${server.port}`)
    const stream = client.request({ ':path': '/?format=json' })
    let text = ''
    for await (const piece of stream.setEncoding('utf8')) text += piece
    client.close()
    assert.equal((JSON.parse(text) as Report).servers.length, 1)
  })

  it('hands a failure of the registry on', async () => {
    const registry = new Registry()
    const collect = (): never => {
      throw new Error('no metrics today')
    }
    new Counter({ name: 'broken_total', help: 'Broken.', registers: [registry], collect })
    const handler = fastcgi.status(php, { registry })
    const errors: unknown[] = []
    const own = await listen((req, res) =>
      handler(req, res, (error) => {
        errors.push(error)
        res.writeHead(503).end()
      }),
    )
    assert.equal((await ask(`${own.url}?format=prometheus`)).status, 503)
    assert.match(String(errors[0]), /no metrics today/)
    await own.close()
    const alone = await listen((req, res) => handler(req, res))
    const answer = await ask(`${alone.url}?format=prometheus`)
    assert.deepEqual([answer.status, answer.text], [500, 'The status cannot be told\n'])
    await alone.close()
  })

  it('refuses options that it does not know', () => {
    const refused: readonly (readonly [object, RegExp])[] = [
      [{ intervall: 5 }, /status\.intervall: there is no such option/],
      [{ interval: 50 }, /status\.interval: 50 is not a number of milliseconds from 100 to 60000/],
      [{ interval: '2s' }, /status\.interval: "2s" is not/],
      [{ registry: {} }, /status\.registry: it is no registry of prom-client/],
      [{ registry: null }, /status\.registry/],
    ]
    for (const [options, message] of refused) {
      assert.throws(() => fastcgi.status(php, options as never), { name: 'OptionError', message })
    }
    assert.throws(() => fastcgi.status((() => undefined) as never), {
      name: 'OptionError',
      message: /status: .*fastcgi\(/,
    })
  })
})

/** As much of the JSON as is looked at. */
interface Report {
  readonly pid: number
  readonly worker: number | null
  readonly uptime: number
  readonly totals: { readonly requests: number; readonly failures: number }
  readonly servers: readonly {
    readonly server: string
    readonly address: string
    readonly state: string
    readonly requests: number
    readonly lastErrors: readonly { readonly time: number; readonly code: string }[]
    readonly history: { readonly open: readonly (number | null)[] }
  }[]
  readonly locations: readonly { readonly servers: readonly string[] }[]
  readonly history: { readonly interval: number; readonly times: readonly number[] }
}
