import type { CaseResult, Results, TargetResult } from './results.ts'

const MIB = 2 ** 20

/** Columns as wide as they need to be; all but the first to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
    )
    .map((row) => row.join('  ').trimEnd())
    .join('\n')
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '-'
}

function memory(bytes: number | null): string {
  return bytes === null ? '-' : fixed(bytes / MIB, 0)
}

function caseRow({ id, title, unit, median }: CaseResult): readonly string[] {
  const { cpu, otherCpu, rate, p50, p99, peakMemory, errors } = median
  const own = unit === 'request' ? `${fixed(cpu, 1)} µs` : `${fixed(cpu, 3)} s`
  const other = otherCpu > 0 ? ` + ${fixed(otherCpu, unit === 'request' ? 1 : 3)}` : ''
  const speed = unit === 'request' ? `${fixed(rate, 0)} req/s` : `${fixed(rate, 0)} MiB/s`
  return [id, title, `${own}${other}`, speed, fixed(p50, 2), fixed(p99, 2), memory(peakMemory), String(errors)]
}

/** What was measured. */
export function casesTable(cases: readonly CaseResult[]): string {
  const head = ['case', 'what', 'CPU', 'rate', 'p50 ms', 'p99 ms', 'RSS MiB', 'errors']
  const titled = cases.map(caseRow)
  const width = Math.max(...titled.map((row) => row[1]?.length ?? 0))
  return table([head, ...titled].map((row) => row.map((cell, column) => (column === 1 ? cell.padEnd(width) : cell))))
}

function limit({ most, least }: TargetResult): string {
  if (most !== null) return `<= ${Number(most.toFixed(3))}`
  return least === null ? '' : `>= ${least}`
}

/** The quotients, their spread over the rounds, and what was aimed at. */
export function targetsTable(targets: readonly TargetResult[]): string {
  const rows = targets.map((target) => {
    const digits = target.value < 0.1 ? 4 : target.value > 20 ? 0 : 3
    const verdict = target.met === null ? '' : target.met ? 'met' : 'MISSED'
    const spread = `${fixed(target.lowest, digits)} .. ${fixed(target.highest, digits)}`
    return [target.title, fixed(target.value, digits), spread, limit(target), verdict]
  })
  return table([['', 'median', 'over the rounds', 'target', ''], ...rows])
}

/** Beside an earlier run: what changed of CPU and of the quotients. */
export function comparisonTable(now: Results, old: Results): string {
  const cases = now.cases.flatMap(({ id, median }) => {
    const before = old.cases.find((other) => other.id === id)?.median.cpu
    return before === undefined ? [] : [[id, fixed(before, 2), fixed(median.cpu, 2), fixed(median.cpu / before, 3)]]
  })
  const targets = now.targets.flatMap(({ title, value }) => {
    const before = old.targets.find((other) => other.title === title)?.value
    return before === undefined ? [] : [[title, fixed(before, 3), fixed(value, 3), fixed(value / before, 3)]]
  })
  const head = ['', `${old.machine.commit}`, `${now.machine.commit}`, 'now / then']
  return `${table([head, ...cases])}\n\n${table([head, ...targets])}`
}
