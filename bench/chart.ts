import type { CaseResult, Results } from './results.ts'

/** What is drawn: cases and what they are called there. */
const BARS: readonly (readonly [id: string, label: string])[] = [
  ['nginx', 'nginx'],
  ['http', 'node:http by itself'],
  ['floor', 'floor on node:http'],
  ['ours', 'express-fastcgi on node:http'],
  ['before', 'express-fastcgi before Express'],
  ['express', 'Express 5 by itself'],
  ['floor-behind', 'floor behind Express 5'],
  ['ours-behind', 'express-fastcgi behind Express 5'],
  ['express-php-fpm', 'express-php-fpm behind Express 5'],
  ['proxy', 'http-proxy-middleware, then nginx'],
  ['proxy-keep', 'the same with a keep-alive agent'],
]

const WIDTH = 760
const LABELS = 250
const ROW = 26
const TOP = 54
const VALUES = 120

const STYLE = `text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .bar { fill: #8c959f } .ours { fill: #0969da } .other { fill: #d0d7de }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #4493f8 } .other { fill: #3d444d } }`

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A bar to be drawn: microseconds of CPU a request. */
interface Bar {
  readonly id: string
  readonly label: string
  readonly own: number
  /** Of nginx behind the gateway. */
  readonly other: number
}

function barsOf(cases: readonly CaseResult[]): readonly Bar[] {
  return BARS.flatMap(([id, label]) => {
    const median = cases.find((one) => one.id === id)?.median
    return median === undefined ? [] : [{ id, label, own: median.cpu, other: median.otherCpu }]
  })
}

function told({ own, other }: Bar): string {
  return `${own.toFixed(0)}${other > 0 ? ` + ${other.toFixed(0)}` : ''} µs`
}

function row(bar: Bar, index: number, scale: number): string {
  const y = TOP + index * ROW
  const [own, other] = [bar.own * scale, bar.other * scale]
  const kind = /^(ours|before)/.test(bar.id) ? 'ours' : 'bar'
  return `<g><title>${escapeXml(bar.label)}: ${told(bar)}</title>
    <text x="${LABELS - 10}" y="${y + 14}" text-anchor="end">${escapeXml(bar.label)}</text>
    <rect class="${kind}" x="${LABELS}" y="${y}" width="${own.toFixed(1)}" height="18"/>
    <rect class="other" x="${(LABELS + own).toFixed(1)}" y="${y}" width="${other.toFixed(1)}" height="18"/>
    <text x="${(LABELS + own + other + 8).toFixed(1)}" y="${y + 14}">${told(bar)}</text></g>`
}

/** CPU per small GET as horizontal bars; everything that is drawn is also said in words. Null: nothing of it was measured. */
export function drawChart({ cases, machine, date }: Results): string | null {
  const bars = barsOf(cases)
  if (bars.length === 0) return null
  const most = Math.max(...bars.map(({ own, other }) => own + other))
  const scale = (WIDTH - LABELS - VALUES) / most
  const height = TOP + bars.length * ROW + 34
  const title = 'CPU of the gateway for a small GET, in microseconds'
  const description = bars.map((bar) => `${bar.label}: ${told(bar)}`).join('; ')
  const footer = `Node ${machine.node}, ${machine.processor}, commit ${machine.commit}, ${date.slice(0, 10)}. Paler: nginx behind the gateway.`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">
  <title id="title">${title}</title>
  <desc id="description">${escapeXml(description)}</desc>
  <style>${STYLE}</style>
  <text class="title" x="10" y="28">${title}</text>
  ${bars.map((bar, index) => row(bar, index, scale)).join('\n  ')}
  <text x="10" y="${height - 12}" style="font-size: 11px">${escapeXml(footer)}</text>
</svg>
`
}
