import { readFileSync } from 'node:fs'

/** A function and the time in which it, and nothing that it called, ran. */
export interface SelfTime {
  readonly name: string
  /** File and line, shortened. */
  readonly place: string
  readonly url: string
  /** Of the time in which the process was not idle. */
  readonly share: number
}

/** The part of a .cpuprofile that is read here; times in microseconds. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

function shorten(url: string): string {
  return url.replace(/^file:\/\//, '').replace(/^.*\/(node_modules|dist|bench)\//, '$1/')
}

/** Functions of a CPU profile by their own time, the longest first. */
export function selfTimes(file: string): SelfTime[] {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const times = new Map<string, { name: string; place: string; url: string; time: number }>()
  let total = 0
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)
    if (frame === undefined || frame.functionName === '(idle)') continue
    const time = timeDeltas[index] ?? 0
    const place = frame.url === '' ? '' : `${shorten(frame.url)}:${frame.lineNumber + 1}`
    const key = `${frame.functionName} ${place}`
    const known = times.get(key) ?? { name: frame.functionName || '(anonymous)', place, url: frame.url, time: 0 }
    known.time += time
    total += time
    times.set(key, known)
  }
  return [...times.values()]
    .sort((left, right) => right.time - left.time)
    .map(({ name, place, url, time }) => ({ name, place, url, share: time / total }))
}

/** What runs for diagnostics channels and for `status()`. */
function isUnheard({ name, url }: SelfTime): boolean {
  return /\/(diagnostics|trace)\.js$|^node:diagnostics_channel$/.test(url) || name === 'noteAnswer'
}

/** Share of the CPU that goes into telling what nobody listens to. */
export function shareOfUnheard(file: string): number {
  return selfTimes(file)
    .filter(isUnheard)
    .reduce((total, { share }) => total + share, 0)
}
