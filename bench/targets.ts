import type { CaseResult, Results, TargetResult } from './results.ts'
import { pairedRatio, type Ratio } from './statistics.ts'

/** A quotient that the package aims at, or at least watches. */
interface Target {
  readonly title: string
  /** What is divided by what: ids of cases. Without a second one the figure itself counts. */
  readonly of: string
  readonly by?: string
  readonly figure: 'cpu' | 'rate' | 'peakMemory' | 'share' | 'errors'
  /** At most, or at least; the id of another target: at most what that one measured. Null: nothing is aimed at. */
  readonly most?: number | string
  readonly least?: number
}

const MIB = 2 ** 20

function cpu(title: string, of: string, by: string, most?: number | string): Target {
  return { title, of, by, figure: 'cpu', ...(most !== undefined && { most }) }
}

/** At least so many times better than what a user would pick instead. */
function better(peer: string, name: string): readonly Target[] {
  return [
    { title: `CPU: ${name} to ours, behind Express`, of: peer, by: 'ours-behind', figure: 'cpu', least: 2.2 },
    { title: `Requests a second: ours to ${name}`, of: 'ours-behind', by: peer, figure: 'rate', least: 2.2 },
  ]
}

function memory(title: string, of: string): Target {
  return { title: `Peak memory in MiB, ${title}`, of, figure: 'peakMemory', most: 120 * MIB }
}

/** The table of the bench, in the order in which it is printed. */
const TARGETS: readonly Target[] = [
  cpu('Small GET, bare http, keep-alive: ours to floor', 'ours', 'floor', 1.25),
  cpu('Small GET behind Express: ours to floor', 'ours-behind', 'floor-behind', 1.08),
  cpu('Small GET before Express: ours to bare floor', 'before', 'floor', 1.3),
  ...better('express-php-fpm', 'express-php-fpm'),
  ...better('proxy', 'http-proxy-middleware, nginx'),
  ...better('proxy-keep', 'the same, keep-alive agent'),
  cpu('POST of 1 KiB, no keep-alive: ours to floor', 'ours-post-close', 'floor-post-close', 1.5),
  cpu('1 GiB down: ours to socket.pipe(res)', 'ours-down', 'raw-down', 1.1),
  cpu('1 GiB up: ours to req.pipe(socket)', 'ours-up', 'raw-up', 1.1),
  memory('1 GiB down', 'ours-down'),
  memory('1 GiB down, paused client', 'ours-down-paused'),
  memory('1 GiB up', 'ours-up'),
  memory('1 GiB up, paused backend', 'ours-up-paused'),
  { title: 'Errors with 1,000 clients', of: 'clients-1000', figure: 'errors', most: 0 },
  { title: 'Requests a second: 1,000 clients to 32', of: 'clients-1000', by: 'clients-32', figure: 'rate', least: 0.9 },
  { title: 'Floor: 1,000 clients to 32', of: 'floor-clients-1000', by: 'floor', figure: 'rate' },
  cpu('Floor: 10 patterns to 1', 'floor-locations-10', 'floor'),
  cpu('Ours: 10 locations to 1', 'ours-locations-10', 'ours', 'Floor: 10 patterns to 1'),
  cpu('Floor: 1,000 patterns to 10', 'floor-locations-1000', 'floor-locations-10'),
  cpu('Ours: 1,000 locations to 10', 'ours-locations-1000', 'ours-locations-10', 'Floor: 1,000 patterns to 10'),
  cpu('Floor: 100 request headers to 10', 'floor-headers-100', 'floor-headers-10'),
  cpu('Ours: 100 request headers to 10', 'ours-headers-100', 'ours-headers-10', 'Floor: 100 request headers to 10'),
  { title: 'Share of diagnostics and status, nobody listening', of: 'diagnostics', figure: 'share', most: 0.01 },
  cpu('Small GET, no keep-alive: ours to floor', 'ours-close', 'floor-close'),
  cpu('Small GET, TCP: ours to floor', 'ours-tcp', 'floor-tcp'),
  cpu('Small GET, TCP, no keep-alive: ours to floor', 'ours-tcp-close', 'floor-tcp-close'),
  cpu('POST of 1 KiB, keep-alive: ours to floor', 'ours-post', 'floor-post'),
  cpu('1 GiB down in records of 8 KiB: ours to socket.pipe(res)', 'ours-down-8k', 'raw-down'),
  cpu('Small GET: floor to node:http by itself', 'floor', 'http'),
  cpu('Small GET: nginx to ours', 'nginx', 'ours'),
  cpu('php-fpm: ours to floor', 'php-ours', 'php-floor'),
  cpu('php-fpm: express-php-fpm behind Express to ours on bare http', 'php-express-php-fpm', 'php-ours'),
]

/** Ours to ours of the other build, for each case that was measured of both. */
function againstTargets(cases: readonly CaseResult[]): readonly Target[] {
  return cases
    .filter(({ id }) => cases.some((other) => other.id === `${id}@against`))
    .map(({ id }) => cpu(`This build to the other: ${id}`, id, `${id}@against`))
}

function figures({ rounds }: CaseResult, figure: Target['figure']): number[] {
  return rounds.flatMap((round) => round[figure] ?? [])
}

function measured(cases: readonly CaseResult[], { of, by, figure }: Target): Ratio | null {
  const [dividend, divisor] = [of, by].map((id) => cases.find((one) => one.id === id))
  if (dividend === undefined) return null
  const over = figures(dividend, figure)
  if (by === undefined)
    return pairedRatio(
      over,
      over.map(() => 1),
    )
  return divisor === undefined ? null : pairedRatio(over, figures(divisor, figure))
}

function isMet({ value }: Ratio, most: number | null, least: number | null): boolean | null {
  if (most !== null) return value <= most
  return least === null ? null : value >= least
}

/** Every target whose cases were measured. */
export function judge(cases: Results['cases']): readonly TargetResult[] {
  const results: TargetResult[] = []
  for (const target of [...TARGETS, ...againstTargets(cases)]) {
    const ratio = measured(cases, target)
    if (ratio === null) continue
    const { title, least = null } = target
    const most =
      typeof target.most === 'string'
        ? (results.find((other) => other.title === target.most)?.value ?? null)
        : (target.most ?? null)
    const scale = target.figure === 'peakMemory' ? MIB : 1
    results.push({
      title,
      value: ratio.value / scale,
      lowest: ratio.least / scale,
      highest: ratio.most / scale,
      most: most === null ? null : most / scale,
      least,
      met: isMet(ratio, most, least),
    })
  }
  return results
}
