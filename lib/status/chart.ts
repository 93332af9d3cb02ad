import { type Markup, markup } from './markup.ts'

/** A line, the area below one, or bars that are seen however low they are. */
export interface Trace {
  /** Of the class that gives its colour. */
  readonly name: string
  readonly kind: 'line' | 'area' | 'bars'
  /** Null: a gap. */
  readonly values: readonly (number | null)[]
}

/** What a chart is over. */
export interface TimeSpan {
  /** Milliseconds, one for each value. */
  readonly times: readonly number[]
  readonly end: number
  readonly span: number
}

/** What a chart says and how high it reaches. */
export interface Chart {
  readonly traces: readonly Trace[]
  /** It in words. */
  readonly label: string
  /** The value at the top, at least. Above 0. */
  readonly ceiling: number
  /** Logarithmic, so that a line of tens stays apart from one of thousands. Default false. */
  readonly logarithmic?: boolean
}

const WIDTH = 300
const HEIGHT = 56
/** For the width of a line at the top. */
const MARGIN = 2
const LOWEST_BAR = 14

/** Draws a chart without axes, the present at its right edge. */
export function drawChart({ traces, label, ceiling, logarithmic = false }: Chart, over: TimeSpan): Markup {
  const top = Math.max(ceiling, ...traces.map(({ values }) => peakOf(values)))
  const share = (value: number): number => (logarithmic ? Math.log1p(value) / Math.log1p(top) : value / top)
  const paths = traces.map(({ name, kind, values }) => {
    const all = points(
      values.map((value) => (value === null ? null : share(value))),
      over,
    )
    return markup`<path class="${kind} ${name}" d="${
      kind === 'bars'
        ? barsOf(all)
        : runsOf(all)
            .map((run) => pathOf(run, kind))
            .join('')
    }"/>`
  })
  return markup`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}">${paths}</svg>`
}

/** The largest value; 0 where there is none. */
export function peakOf(values: readonly (number | null)[]): number {
  return values.reduce<number>((peak, value) => Math.max(peak, value ?? 0), 0)
}

/** Value by value; what is missing in one is missing in the sum. */
export function stacked(lower: readonly (number | null)[], upper: readonly (number | null)[]): (number | null)[] {
  return lower.map((value, index) => {
    const above = upper[index] ?? null
    return value === null || above === null ? null : value + above
  })
}

type Point = readonly [x: number, y: number]

/** Of shares of the height. */
function points(shares: readonly (number | null)[], { times, end, span }: TimeSpan): (Point | null)[] {
  return shares.map((share, index) => {
    const age = end - (times[index] ?? end)
    return share === null || age > span ? null : [(1 - age / span) * WIDTH, HEIGHT - share * (HEIGHT - MARGIN)]
  })
}

/** Points that follow each other without a gap. */
function runsOf(all: readonly (Point | null)[]): (readonly Point[])[] {
  const runs: Point[][] = [[]]
  for (const point of all) {
    if (point === null) runs.push([])
    else runs.at(-1)?.push(point)
  }
  return runs.filter((run) => run.length > 0)
}

function pathOf(run: readonly Point[], kind: 'line' | 'area'): string {
  const steps = run.map(([x, y]) => `${short(x)} ${short(y)}`)
  const [first, last] = [run[0], run.at(-1)]
  if (first === undefined || last === undefined) return ''
  // A single point is seen as a dot: the caps of the line are round.
  if (kind === 'line') return `M${steps.join('L')}${run.length === 1 ? 'h0' : ''}`
  return `M${short(first[0])} ${HEIGHT}L${steps.join('L')}L${short(last[0])} ${HEIGHT}z`
}

function barsOf(all: readonly (Point | null)[]): string {
  const seen = all.filter((point) => point !== null && point[1] < HEIGHT) as readonly Point[]
  return seen.map(([x, y]) => `M${short(x)} ${HEIGHT}V${short(Math.min(y, HEIGHT - LOWEST_BAR))}`).join('')
}

function short(coordinate: number): string {
  return String(Math.round(coordinate * 10) / 10)
}
