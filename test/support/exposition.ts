/** One series of a scrape. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric of a scrape with all of its series. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly series: readonly Series[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*'
const VALUE = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN`
const SERIES = new RegExp(String.raw`^(${NAME})(?:\{((?:${LABEL}="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (${VALUE})$`)

/**
 * Reads Prometheus's text format 0.0.4 more strictly than Prometheus does: everything has its HELP and TYPE, stands together and
 * once, is named by the conventions, and the buckets of a histogram count up to its count.
 * @throws Error at the first line that breaks a rule
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family & { readonly series: Series[] }>()
  const seen = new Set<string>()
  let current: { name: string; help: string; type: string; series: Series[] } | null = null
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, keyword, name = '', rest = ''] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line) ?? []
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name} stands twice`)
      current = { name, help: rest, type: '', series: [] }
      families.set(name, current)
      continue
    }
    if (keyword === 'TYPE') {
      if (current?.name !== name || current.type !== '') throw new Error(`no HELP before: ${line}`)
      current.type = rest
      continue
    }
    const series = parseSeries(line)
    if (current === null || !namesOf(current).includes(series.name)) throw new Error(`not where it belongs: ${line}`)
    const identity = `${series.name}${JSON.stringify(Object.entries(series.labels).sort())}`
    if (seen.has(identity)) throw new Error(`stands twice: ${line}`)
    seen.add(identity)
    current.series.push(series)
  }
  for (const family of families.values()) checkFamily(family)
  return families
}

function parseSeries(line: string): Series {
  const match = SERIES.exec(line)
  if (match === null) throw new Error(`no series: ${line}`)
  const [, name = '', labels = '', value = ''] = match
  const pairs = [...labels.matchAll(new RegExp(String.raw`(${LABEL})="((?:[^"\\]|\\.)*)"`, 'g'))]
  const unescaped = (one: string): string =>
    one.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character))
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, label = '', content = '']) => [label, unescaped(content)])),
    value: Number(value.replace('Inf', 'Infinity')),
  }
}

function namesOf({ name, type }: Family): readonly string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

/** https://prometheus.io/docs/practices/naming, as far as a name alone can break it. */
function checkFamily(family: Family): void {
  const { name, type, series } = family
  if (!['counter', 'gauge', 'histogram'].includes(type)) throw new Error(`${name} is a ${type}`)
  if (name.endsWith('_total') !== (type === 'counter')) throw new Error(`${name} is a ${type}`)
  if (/milli|micro|minute|percent|kilo/.test(name)) throw new Error(`${name} has no base unit`)
  for (const { value, name: of } of series) {
    if (type !== 'gauge' && !(value >= 0)) throw new Error(`${of} is ${value}`)
  }
  if (type === 'histogram') checkHistogram(family)
}

function checkHistogram({ name, series }: Family): void {
  for (const count of series.filter((one) => one.name === `${name}_count`)) {
    const mine = ({ labels: { le, ...labels } }: Series): boolean =>
      JSON.stringify(labels) === JSON.stringify(count.labels)
    const buckets = series.filter((one) => one.name === `${name}_bucket` && mine(one))
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')))
    const counts = buckets.map(({ value }) => value)
    const isAscending = (list: readonly number[]): boolean => list.every((one, index) => one >= (list[index - 1] ?? 0))
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no bucket +Inf`)
    if (!isAscending(bounds) || new Set(bounds).size < bounds.length) throw new Error(`${name}: bounds ${bounds}`)
    if (!isAscending(counts)) throw new Error(`${name}: buckets ${counts}`)
    if (counts.at(-1) !== count.value)
      throw new Error(`${name}: ${counts.at(-1)} in its buckets, ${count.value} counted`)
    if (!series.some((one) => one.name === `${name}_sum` && mine(one))) throw new Error(`${name} has no sum`)
  }
}
