import type { NotedError } from '../backend/tally.ts'
import { type Chart, drawChart, peakOf, stacked, type TimeSpan } from './chart.ts'
import { type Content, type Markup, markup } from './markup.ts'
import type { BackendState } from './observed.ts'
import { formatCount, formatDuration, formatMilliseconds, formatRate } from './quantity.ts'
import type { BackendReport } from './report.ts'

/** The charts' ceilings where little happens, so that little looks little. */
const LEAST_CONNECTIONS = 4
const LEAST_RATE = 1
const LEAST_MILLISECONDS = 10

const QUANTILES = ['p50', 'p95', 'p99'] as const

const WORDS: Readonly<Record<BackendState, string>> = {
  up: 'up',
  down: 'down',
  probing: 'probing',
  draining: 'draining',
  stopped: 'not started',
}

/** Everything about one backend, the state first. */
export function backendCard(backend: BackendReport, over: TimeSpan): Markup {
  const { server, state, downSince, lastErrors } = backend
  const word = WORDS[state]
  const since = downSince === null ? '' : ` for ${formatDuration((over.end - downSince) / 1000)}`
  return markup`
<article class="card ${state}" data-server="${server}">
<header><div><h2>${server}</h2><p class="soft">${describe(backend)}</p></div>
<p class="state">${word}${since}</p></header>
${connections(backend, over)}
${traffic(backend, over)}
${latency(backend, over)}
${lastErrors.length === 0 ? null : errors(lastErrors, over.end)}
</article>`
}

function describe({ address, weight, backup }: BackendReport): string {
  const words = [address ?? 'starts with its first request']
  if (weight !== 1) words.push(`weight ${weight}`)
  if (backup) words.push('backup')
  return words.join(' · ')
}

function connections({ open, idle, busy, waiting, maxConnections, history }: BackendReport, over: TimeSpan): Markup {
  const openAt = stacked(history.busy, history.idle)
  const chart = {
    label: `Connections: ${open} of ${maxConnections} open, ${busy} busy, ${idle} idle; ${waiting} requests wait`,
    traces: [
      { name: 'idle', kind: 'area', values: openAt },
      { name: 'busy', kind: 'area', values: history.busy },
      { name: 'waiting', kind: 'line', values: peaksOf(history.waiting) },
    ],
    ceiling: LEAST_CONNECTIONS,
  } as const
  const numbers = markup`<span class="busy"><b>${formatCount(busy)}</b> busy</span>
<span class="idle"><b>${formatCount(idle)}</b> idle</span>
<span class="waiting"><b>${formatCount(waiting)}</b> waiting</span>
<span><b>${formatCount(open)}</b> of ${formatCount(maxConnections)} open</span>`
  const peak = formatCount(Math.max(peakOf(openAt), peakOf(history.waiting)))
  return figure({ title: 'Connections', numbers, chart, peak }, over)
}

/** Nothing where nothing is for longer: else the line would run along the ground all the time. */
function peaksOf(values: readonly (number | null)[]): (number | null)[] {
  return values.map((value, index) => {
    return value === 0 && !values[index - 1] && !values[index + 1] ? null : value
  })
}

function traffic({ rates, requests, failures, history }: BackendReport, over: TimeSpan): Markup {
  const [served, failed] = [formatRate(rates.requestsPerSecond), formatRate(rates.failuresPerSecond)]
  const chart = {
    label: `${served} requests and ${failed} errors a second`,
    traces: [
      { name: 'requests', kind: 'area', values: history.requestsPerSecond },
      { name: 'requests', kind: 'line', values: history.requestsPerSecond },
      { name: 'failures', kind: 'bars', values: history.failuresPerSecond },
    ],
    ceiling: LEAST_RATE,
  } as const
  const numbers = markup`<span class="requests"><b>${served}</b> requests</span>
<span class="failures"><b>${failed}</b> errors</span>`
  const peak = `${formatRate(Math.max(peakOf(history.requestsPerSecond), peakOf(history.failuresPerSecond)))}/s`
  const total = `${formatCount(requests)} answered, ${formatCount(failures)} failed`
  return figure({ title: 'Per second', numbers, chart, peak, total }, over)
}

function latency({ latency: now, history }: BackendReport, over: TimeSpan): Markup {
  const quantiles = QUANTILES.map((name) => ({ name, text: formatMilliseconds(now?.[name] ?? null) }))
  const chart = {
    label: `Latency: ${quantiles.map(({ name, text }) => `${name} ${text}`).join(', ')}`,
    traces: QUANTILES.map((name) => ({ name, kind: 'line', values: history[name] }) as const),
    ceiling: LEAST_MILLISECONDS,
    logarithmic: true,
  } as const
  const numbers = quantiles.map(({ name, text }) => markup`<span class="${name}">${name} <b>${text}</b></span>\n`)
  return figure({ title: 'Latency', numbers, chart, peak: formatMilliseconds(peakOf(history.p99)) }, over)
}

/** A chart under its numbers, which are its legend too. */
interface Figure {
  readonly title: string
  readonly numbers: Content
  readonly chart: Chart
  readonly peak: string
  /** Since the beginning. */
  readonly total?: string
}

function figure({ title, numbers, chart, peak, total }: Figure, over: TimeSpan): Markup {
  const isEmpty = chart.traces.every(({ values }) => peakOf(values) === 0)
  const words = isEmpty ? 'nothing in this time' : `peak ${peak}${chart.logarithmic === true ? ', log scale' : ''}`
  return markup`<figure><figcaption><h3>${title}</h3><p class="numbers">${numbers}</p></figcaption>
${drawChart(chart, over)}
<p class="scale"><span>${formatDuration(over.span / 1000)} ago</span><span>${total === undefined ? words : `${words} · ${total}`}</span><span>now</span></p></figure>`
}

/** The latest first; what happened several times in a row stands once. */
function errors(list: readonly NotedError[], now: number): Markup {
  const rows: { error: NotedError; count: number }[] = []
  for (const error of list.toSorted((a, b) => b.time - a.time)) {
    const row = rows.at(-1)
    if (row !== undefined && row.error.code === error.code && row.error.message === error.message) row.count += 1
    else rows.push({ error, count: 1 })
  }
  return markup`<section class="errors"><h3>Last errors</h3><ul>${rows.map(
    ({ error: { time, code, message }, count }) =>
      markup`<li><code>${code}</code>${count === 1 ? null : ` ×\u202f${count}`} <span class="soft"><time datetime="${new Date(time).toISOString()}">${formatDuration((now - time) / 1000)} ago</time></span><br>${message}</li>`,
  )}</ul></section>`
}
