import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { BackendStatus } from '../../../lib/backend/backend-status.ts'
import type { ObservedStatus } from '../../../lib/status/observed.ts'
import { PAGE_POLICY, statusPage } from '../../../lib/status/page.ts'
import { reportOf } from '../../../lib/status/report.ts'
import { Sampler } from '../../../lib/status/sampler.ts'
import { backendStatus, gatewayOf } from './gateway.ts'

/** The page of a gateway that has been looked at once. */
function pageOf(status: Partial<ObservedStatus>): string {
  const gateway = gatewayOf(status)
  return statusPage(reportOf(gateway, new Sampler(gateway, { interval: 2000, closed: AbortSignal.abort() })))
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
