import { parseArgs } from 'node:util'

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  readonly rounds: number
  /** Of each measurement. */
  readonly seconds: number
  /** Before each measurement, for the compiler of the engine: at least so long, and at least so many requests. */
  readonly warmSeconds: number
  readonly warmRequests: number
  /** Of the long bodies. */
  readonly bodyBytes: number
  /** Ids of cases, `*` at the end stands for any end; empty: all. */
  readonly only: readonly string[]
  /** The built package that is measured: a folder with `index.js`. */
  readonly dist: string
  /** Another build, measured beside it in the same rounds. */
  readonly against: string | null
  /** Where to write. */
  readonly json: string | null
  readonly svg: string | null
  /** A folder for CPU profiles of the gateway. */
  readonly profiles: string | null
  /** The JSON of an earlier run. */
  readonly compare: string | null
  /** Node instead of C for the load and the responder. */
  readonly withoutCompiler: boolean
  readonly list: boolean
}

export const USAGE = `npm run bench -- [options]

  --rounds N        rounds, in each of them every case once (5)
  --seconds S       of each measurement (2); before it 2 seconds and 40,000 requests for warming up
  --only A,B        these cases alone; floor* stands for all that begin so
  --list            the cases
  --quick           one short round: whether the bench works, not how fast anything is
  --size BYTES      of the long bodies (1073741824)
  --dist DIR        measure this build (dist)
  --against DIR     measure another build beside it, in the same rounds
  --json FILE       write everything that was measured
  --compare FILE    the JSON of an earlier run, to compare with
  --svg FILE        draw the CPU per request
  --cpu-prof DIR    write CPU profiles of the gateway (bench/profile-summary.ts reads them)
  --no-cc           load and responder in Node although there is a C compiler
`

const GIB = 2 ** 30

/** By then the engine has compiled what is hot: after half of it, a request of ours still cost half as much again. */
const WARM = { warmSeconds: 2, warmRequests: 40_000 }

const USUAL = { rounds: 5, seconds: 2, bodyBytes: GIB, ...WARM }
const QUICK = { rounds: 1, seconds: 0.3, bodyBytes: 2 ** 24, warmSeconds: 0.15, warmRequests: 200 }

/** A folder beside the bench, not below the working directory. */
function beside(name: string): string {
  return new URL(`../${name}`, import.meta.url).pathname
}

function positive(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not "${text}"`)
  return value
}

/** Reads the command line; null: help was asked for. */
export function readArguments(args: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      size: { type: 'string' },
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      'no-cc': { type: 'boolean', default: false },
      dist: { type: 'string', default: beside('dist') },
      against: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      compare: { type: 'string' },
      'cpu-prof': { type: 'string' },
    },
  })
  if (values.help) return null
  const usual = values.quick ? QUICK : USUAL
  const seconds = positive('seconds', values.seconds, usual.seconds)
  return {
    rounds: Math.ceil(positive('rounds', values.rounds, usual.rounds)),
    seconds,
    warmSeconds: usual.warmSeconds,
    warmRequests: usual.warmRequests,
    bodyBytes: Math.ceil(positive('size', values.size, usual.bodyBytes)),
    only: values.only.split(',').filter((id) => id !== ''),
    dist: values.dist,
    against: values.against ?? null,
    json: values.json ?? null,
    svg: values.svg ?? null,
    profiles: values['cpu-prof'] ?? null,
    compare: values.compare ?? null,
    withoutCompiler: values['no-cc'],
    list: values.list,
  }
}
