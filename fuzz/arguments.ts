import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

/** What `npm run fuzz` was asked for. */
export interface FuzzOptions {
  readonly minutes: number
  readonly seed: number
  /** Both, unless one was chosen. */
  readonly only: readonly ('client' | 'backend')[]
  /** One setting alone; null: all in turn. */
  readonly setting: string | null
  /** One case alone, before each setting. */
  readonly caseNumber: number | null
  /** Where failing cases are written. */
  readonly folder: string
}

export const USAGE = `npm run fuzz -- [options]

  --minutes N        how long (10)
  --seed S           repeats a run: the same cases in the same order
  --only SIDE        client: hostile requests; backend: broken answers; default both
  --setting NAME     one way of setting the gateway up alone
  --case N           one case of a seed alone
  --out DIR          where failing cases are written (fuzz/failures)
`

/** Null: help was asked for. */
export function readArguments(given: readonly string[]): FuzzOptions | null {
  const { values } = parseArgs({
    args: [...given],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      only: { type: 'string' },
      setting: { type: 'string' },
      case: { type: 'string' },
      out: { type: 'string', default: 'fuzz/failures' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const { only } = values
  if (only !== undefined && only !== 'client' && only !== 'backend')
    throw new Error(`--only takes client or backend, not ${only}`)
  return {
    minutes: numberOf('minutes', values.minutes),
    seed: values.seed === undefined ? randomSeed() : numberOf('seed', values.seed),
    only: only === undefined ? ['client', 'backend'] : [only],
    setting: values.setting ?? null,
    caseNumber: values.case === undefined ? null : numberOf('case', values.case),
    folder: values.out,
  }
}

/** A seed that nobody chose. */
export function randomSeed(): number {
  return randomInt(2 ** 31)
}

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (!(value >= 0)) throw new Error(`--${name} takes a number, not ${text}`)
  return value
}
