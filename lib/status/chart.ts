import { type Markup, markup } from './markup.ts'
import { mergeSamples } from './merged-samples.ts'

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
  /** Points that a line may have: more samples than that are merged. */
  readonly points: number
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

/** Of a chart, about its pixels: nobody sees more points. */
export const WIDTH = 300
const HEIGHT = 56
/** For the width of a line at the top. */
const MARGIN = 2
const LOWEST_BAR = 14

/** Draws a chart without axes, the present at its right edge. */
export function drawChart({ traces, label, ceiling, logarithmic = false }: Chart, over: TimeSpan): Markup {
  const top = Math.max(ceiling, ...traces.map(({ values }) => peakOf(values)))
  const share = (value: number): number => (logarithmic ? Math.log1p(value) / Math.log1p(top) : value / top)
  const merge = mergeSamples(over.times, over)
  const raster = { ...over, times: merge.times, fineness: over.points < WIDTH / 2 ? 1 : 10 }
  const paths = traces.map(({ name, kind, values }) => {
    const shares = merge.peaks(values).map((value) => (value === null ? null : share(value)))
    return markup`<path class="${kind} ${name}" d="${pathOf(kind, shares, raster)}"/>`
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

/** Where points may be. */
interface Raster extends TimeSpan {
  /** Steps to a unit: points that are far apart need no tenths. */
  readonly fineness: number
}

/** In steps of the raster. */
type Point = readonly [x: number, y: number]

/** Of shares of the height. */
function pathOf(kind: Trace['kind'], shares: readonly (number | null)[], raster: Raster): string {
  // Before it is rounded: the smallest bar is still one.
  if (kind === 'bars') return barsOf(points(shares.map(orNull), raster), raster)
  const runs = runsOf(points(shares, raster))
  return runs.map((run) => (kind === 'line' ? lineOf(run, raster) : areaOf(run, raster))).join('')
}

function orNull(share: number | null): number | null {
  return share === 0 ? null : share
}

function points(shares: readonly (number | null)[], { times, end, span, fineness }: Raster): (Point | null)[] {
  return shares.map((share, index) => {
    const age = end - (times[index] ?? end)
    if (share === null || age > span) return null
    const [x, y] = [(1 - age / span) * WIDTH, HEIGHT - share * (HEIGHT - MARGIN)]
    return [Math.round(x * fineness), Math.round(y * fineness)]
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

function lineOf(run: readonly Point[], { fineness }: Raster): string {
  const [x, y] = run[0] ?? [0, 0]
  // A single point is seen as a dot: the caps of the line are round.
  return `M${x / fineness} ${y / fineness}${stepsOf(run, fineness) || 'h0'}`
}

function areaOf(run: readonly Point[], { fineness }: Raster): string {
  const [x, y] = run[0] ?? [0, 0]
  return `M${x / fineness} ${HEIGHT}V${y / fineness}${stepsOf(run, fineness)}V${HEIGHT}z`
}

/** From each point to the next: much shorter than where they are. */
function stepsOf(run: readonly Point[], fineness: number): string {
  const steps = run.slice(1).flatMap(([x, y], index) => {
    const [lastX, lastY] = run[index] ?? [x, y]
    return [(x - lastX) / fineness, (y - lastY) / fineness]
  })
  return steps.length === 0 ? '' : `l${steps.join(' ').replaceAll(' -', '-')}`
}

function barsOf(all: readonly (Point | null)[], { fineness }: Raster): string {
  const bars = all.filter((point) => point !== null)
  const topOf = (y: number): number => Math.min(y / fineness, HEIGHT - LOWEST_BAR)
  return bars.map(([x, y]) => `M${x / fineness} ${HEIGHT}V${topOf(y)}`).join('')
}
