import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { BackendStatus } from '../../../lib/backend/backend-status.ts'
import { backendKey, History } from '../../../lib/status/history.ts'
import type { ObservedStatus } from '../../../lib/status/observed.ts'
import { PAGE_POLICY, statusPage } from '../../../lib/status/page.ts'
import { reportOf, type StatusReport } from '../../../lib/status/report.ts'
import { Sampler } from '../../../lib/status/sampler.ts'
import { backendStatus, gatewayOf } from './gateway.ts'

/** Of five minutes. */
const LOOKS = 150

/** The page of a gateway that has been looked at once. */
function pageOf(status: Partial<ObservedStatus>): string {
  const gateway = gatewayOf(status)
  return statusPage(reportOf(gateway, new Sampler(gateway, { interval: 2000, closed: AbortSignal.abort() })))
}

/** Of so many backends that were looked at every 2 s for five minutes, each time `read` for its number and that of the look. */
function reportOfCrowd(size: number, read: (backend: number, look: number) => Partial<BackendStatus>): StatusReport {
  const history = new History(LOOKS)
  const statusAt = (look: number): BackendStatus[] =>
    Array.from({ length: size }, (_, one) =>
      backendStatus({ server: `server-${one}`, address: `10.0.0.${one}:9000`, ...read(one, look) }),
    )
  for (let look = 0; look < LOOKS; look += 1) history.record(statusAt(look), look * 2000)
  const servers = statusAt(LOOKS - 1)
  const locations = [{ name: 'site', servers: servers.map(({ server }) => server), balance: 'fill', waiting: 0 }]
  const gateway = gatewayOf({ servers, locations })
  const report = reportOf(gateway, new Sampler(gateway, { interval: 2000, closed: AbortSignal.abort() }))
  return {
    ...report,
    servers: report.servers.map((one) => ({ ...one, history: history.seriesOf(backendKey(one)) })),
    history: { ...report.history, times: history.times.map((time) => report.time - (LOOKS - 1) * 2000 + time) },
  }
}

/** A different number for every backend and look, below a limit. */
function scattered(backend: number, look: number, limit: number): number {
  return Math.floor(Math.abs(Math.sin(backend * 7919 + look * 104_729)) * limit)
}

/** Nothing that is drawn stands still. */
function restless(backend: number, look: number): Partial<BackendStatus> {
  const p50 = 1 + scattered(backend, look, 1000) / 10
  return {
    busy: scattered(backend, look, 60),
    idle: scattered(look, backend, 30),
    waiting: 1 + scattered(backend, look + 1, 9),
    requests: 1 + look * look * 10 + scattered(backend, look, 10_000),
    failures: look * 3 + scattered(backend, look, 5),
    latency: { p50, p95: p50 * 2.5, p99: p50 * 7 },
  }
}

function traces(html: string, name: string): string[] {
  return [...html.matchAll(new RegExp(`<path class="${name}" d="([^"]*)"`, 'g'))].map(([, path = '']) => path)
}

/** Numbers of a line: two for each point. */
function pointsIn(path: string): number {
  return (path.match(/-?[\d.]+/g) ?? []).length / 2
}

function textOf(html: string): string {
  return html
    .replace(/<(style|script)>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\u202f]+/g, ' ')
}

describe('the status page', () => {
  const verdicts: readonly (readonly [readonly BackendStatus['state'][], string, string])[] = [
    [['up'], 'up', 'Backend up'],
    [['stopped'], 'up', 'Backend up'],
    [['up', 'up', 'draining'], 'up', 'All 2 backends up'],
    [['up', 'down'], 'probing', '1 of 2 backends down'],
    [['up', 'probing', 'down'], 'probing', '2 of 3 backends down'],
    [['down'], 'down', 'Backend down'],
    [['down', 'probing'], 'down', 'All 2 backends down'],
    [[], 'down', 'No backend'],
  ]
  for (const [states, state, words] of verdicts) {
    it(`says of ${states.join(', ') || 'nothing'}: ${words}`, () => {
      const html = pageOf({ servers: states.map((one) => backendStatus({ state: one })) })
      assert.match(html, new RegExp(`<main data-status="${state}">`))
      assert.match(html, new RegExp(`<p class="state ${state}">${words}</p>`))
      assert.match(html, new RegExp(`<title>${words} `))
    })
  }

  it('says how each backend is, with its numbers', () => {
    const downSince = Date.now() - 90_500
    const text = textOf(
      pageOf({
        servers: [
          backendStatus({
            busy: 3,
            idle: 5,
            open: 8,
            waiting: 12,
            requests: 4321,
            failures: 21,
            weight: 3,
            backup: true,
          }),
          backendStatus({ server: 'two', address: '[::1]:9000', state: 'down', downSince }),
          backendStatus({ server: 'three', address: null, state: 'stopped' }),
          backendStatus({ latency: { p50: 1.23, p95: 45.6, p99: 7890 } }),
        ],
      }),
    )
    assert.match(
      text,
      /php 127\.0\.0\.1:9000 · weight 3 · backup up Connections 3 busy 5 idle 12 waiting 8 of 64 open /,
    )
    assert.match(text, /nothing in this time · 4 321 answered, 21 failed/)
    assert.match(text, /two \[::1\]:9000 down for 1 min 30 s /)
    assert.match(text, /three starts with its first request not started /)
    assert.match(text, /Latency p50 1\.2 ms p95 46 ms p99 7\.9 s /)
  })

  it('says how the whole is', () => {
    const text = textOf(
      pageOf({
        servers: [
          backendStatus({ requests: 1000, failures: 3 }),
          backendStatus({ requests: 234, retries: 2, server: 'b' }),
        ],
        locations: [
          { name: 'wiki', servers: ['php', 'b'], balance: 'ip-hash', waiting: 4 },
          { name: 'rest', servers: ['b'], balance: 'fill', waiting: 1 },
        ],
        reloads: 7,
        pid: 4711,
        uptime: 7260,
      }),
    )
    assert.match(
      text,
      /Waiting 5 Requests in all 1 234 Errors in all 3 2 sent again Up for 2 h 1 min 7 reloads Process 4711 /,
    )
    assert.match(text, /wiki php, b ip-hash 4 rest b fill 1 /)
  })

  it('shows the last errors, the latest first and repetitions once', () => {
    const time = Date.now()
    const error = (code: string, age: number): BackendStatus['lastErrors'][number] => {
      return { time: time - age, code, message: `about ${code}` }
    }
    const lastErrors = [error('A', 60_500), error('B', 50_500), error('B', 40_500), error('A', 5_500)]
    const text = textOf(pageOf({ servers: [backendStatus({ lastErrors })] }))
    assert.match(text, /Last errors A 5 s ago about A B × 2 40 s ago about B A 1 min ago about A /)
    assert.doesNotMatch(textOf(pageOf({})), /Last errors/)
  })

  it('of 200 busy backends stays below half a megabyte, with a card and whole charts for each', () => {
    const report = reportOfCrowd(200, restless)
    const html = statusPage(report)
    assert.ok(Buffer.byteLength(html) < 500_000, `${Buffer.byteLength(html)} bytes`)
    assert.equal(html.match(/<article /g)?.length, 200)
    for (const name of ['area idle', 'area busy', 'line waiting', 'line requests', 'bars failures', 'line p99']) {
      assert.equal(traces(html, name).filter((path) => path !== '').length, 200, name)
    }
    for (const path of traces(html, 'line p50')) assert.ok(pointsIn(path) >= 10 && pointsIn(path) <= 12, path)
    assert.ok(report.servers.every(({ history }) => history.p50.length === LOOKS && history.busy.length === LOOKS))
  })

  it('of 200 backends shows what lasted one sample: a peak and a failure', () => {
    const html = statusPage(
      reportOfCrowd(200, (_, look) => ({
        busy: look === 77 ? 60 : 6,
        requests: look * 2000,
        failures: look > 77 ? 1 : 0,
      })),
    )
    for (const path of traces(html, 'area busy'))
      assert.match(path, /^M\d+ 56V51l(?:\d+ 0 )*\d+-49 \d+ 49(?: \d+ 0)*V56z$/)
    for (const path of traces(html, 'bars failures')) assert.match(path, /^M\d+ 56V42$/)
  })

  it('of 16 backends draws every sample', () => {
    const html = statusPage(reportOfCrowd(16, restless))
    for (const path of traces(html, 'line p50')) assert.equal(pointsIn(path), LOOKS)
    assert.match(html, /l\d+-?\d*\.\d/)
  })

  it('escapes every name', () => {
    const bad = '"><script>alert(1)</script>'
    const html = pageOf({
      servers: [backendStatus({ server: bad, address: bad, lastErrors: [{ time: 1, code: bad, message: bad }] })],
      locations: [{ name: bad, servers: [bad], balance: bad, waiting: 0 }],
    })
    assert.doesNotMatch(html, /<script>alert/)
    assert.doesNotMatch(html, /"">/)
    assert.equal(html.split('&quot;&gt;&lt;script&gt;').length - 1, 8)
  })

  it('has one style and one script, those that its policy names, and nothing from elsewhere', () => {
    const html = pageOf({})
    for (const [element, directive] of [
      ['style', 'style-src'],
      ['script', 'script-src'],
    ] as const) {
      const all = [...html.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, 'g'))]
      assert.equal(all.length, 1)
      const hash = createHash('sha256')
        .update(all[0]?.[1] ?? '')
        .digest('base64')
      assert.ok(PAGE_POLICY.includes(`${directive} 'sha256-${hash}'`), directive)
    }
    assert.doesNotMatch(html, / style=| on\w+=|https?:|\/\/\w/)
    assert.match(PAGE_POLICY, /^default-src 'none'; /)
    assert.match(PAGE_POLICY, /frame-ancestors 'none'$/)
    assert.doesNotMatch(PAGE_POLICY, /unsafe/)
  })
})
