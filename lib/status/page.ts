import { createHash } from 'node:crypto'
import type { BackendStatus } from '../backend/backend-status.ts'
import { backendCard } from './backend-card.ts'
import { WIDTH } from './chart.ts'
import { type Markup, markup } from './markup.ts'
import type { BackendState } from './observed.ts'
import { PAGE_SCRIPT } from './page-script.ts'
import { PAGE_STYLE } from './page-style.ts'
import { formatCount, formatDuration, formatRate } from './quantity.ts'
import type { StatusReport } from './report.ts'

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

/** What the page may do: its own style and script, and asking for itself again. Nothing is fetched from elsewhere, nothing frames it. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  `style-src ${hashSource(PAGE_STYLE)}`,
  `script-src ${hashSource(PAGE_SCRIPT)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Of one line of all backends together: five minutes of 200 busy backends stay below half a megabyte. */
const POINTS = 2400
/** A line is seen to rise and to fall. */
const LEAST_POINTS = 8

/** The report for people; complete without its script. */
export function statusPage(report: StatusReport): string {
  const { history, servers, time } = report
  const { state, words } = verdict(servers)
  const over = { times: history.times, end: time, span: history.span, points: pointsFor(servers.length) }
  return markup`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${words} – FastCGI</title>
<link rel="icon" href="data:,">
<style>${{ html: PAGE_STYLE }}</style>
<body data-interval="${history.interval}">
<p class="stale" role="status">The gateway does not answer. These are the last figures.</p>
<main data-status="${state}">
<div class="top"><h1>FastCGI gateway</h1><p class="state ${state}">${words}</p></div>
${facts(report)}
<div class="cards">${servers.map((backend) => backendCard(backend, over))}</div>
${locations(report)}
</main>
<footer>A sample every ${formatDuration(Math.max(1, history.interval / 1000))}, for ${formatDuration(history.span / 1000)}. The same as <a href="?format=json">JSON</a> and for <a href="?format=prometheus">Prometheus</a>.</footer>
<script>${{ html: PAGE_SCRIPT }}</script>
</body>
</html>
`.html
}

/** How fine a line is: as fine as its chart for a few backends, coarser for a crowd. */
function pointsFor(backends: number): number {
  return Math.max(LEAST_POINTS, Math.min(WIDTH, Math.floor(POINTS / backends)))
}

/** The state of the whole in a few words. */
function verdict(servers: readonly BackendStatus[]): { readonly state: BackendState; readonly words: string } {
  // One that drains is on its way out, wanted by nobody.
  const wanted = servers.filter(({ state }) => state !== 'draining')
  const down = wanted.filter(({ state }) => state === 'down' || state === 'probing').length
  if (wanted.length === 0) return { state: 'down', words: 'No backend' }
  if (down === 0) return { state: 'up', words: wanted.length === 1 ? 'Backend up' : `All ${wanted.length} backends up` }
  if (down === wanted.length) return { state: 'down', words: down === 1 ? 'Backend down' : `All ${down} backends down` }
  return { state: 'probing', words: `${down} of ${wanted.length} backends down` }
}

function facts({ uptime, pid, worker, reloads, totals }: StatusReport): Markup {
  const { requests, failures, retries, requestsPerSecond, failuresPerSecond, waiting } = totals
  return markup`<dl class="facts">
${fact('Requests', formatRate(requestsPerSecond), '/s')}
${fact('Errors', formatRate(failuresPerSecond), '/s', failuresPerSecond > 0)}
${fact('Waiting', formatCount(waiting), '', waiting > 0)}
${fact('Requests in all', formatCount(requests))}
${fact('Errors in all', formatCount(failures), retries === 0 ? '' : `${formatCount(retries)} sent again`)}
${fact('Up for', formatDuration(uptime), reloads === 0 ? '' : `${formatCount(reloads)} reloads`)}
${fact('Process', String(pid), worker === null ? '' : `worker ${worker}`)}
</dl>`
}

function fact(name: string, value: string, unit = '', isBad = false): Markup {
  return markup`<div><dt>${name}</dt><dd${isBad ? { html: ' class="bad"' } : null}>${value} <small>${unit}</small></dd></div>`
}

function locations({ locations: list }: StatusReport): Markup {
  return markup`<section class="locations"><h3>Locations</h3><table>
<tr><th>Name</th><th>Servers</th><th>Balance</th><th>Waiting</th></tr>
${list.map(
  ({ name, servers, balance, waiting }) =>
    markup`<tr><td>${name}</td><td>${servers.join(', ')}</td><td>${balance}</td><td>${formatCount(waiting)}</td></tr>`,
)}
</table></section>`
}
