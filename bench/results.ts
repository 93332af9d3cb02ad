import { readFileSync } from 'node:fs'
import type { Case } from './cases.ts'
import type { Machine } from './machine.ts'
import type { Measurement } from './measurement.ts'
import { median } from './statistics.ts'

/** A case over all rounds. */
export interface CaseResult {
  readonly id: string
  readonly title: string
  readonly unit: Case['unit']
  readonly rounds: readonly Measurement[]
  readonly median: Measurement
}

/** A quotient, and what was aimed at. */
export interface TargetResult {
  readonly title: string
  readonly value: number
  /** Over the rounds. */
  readonly lowest: number
  readonly highest: number
  readonly most: number | null
  readonly least: number | null
  /** Null: nothing was aimed at. */
  readonly met: boolean | null
}

/** The JSON of a run. */
export interface Results {
  readonly version: 1
  /** ISO 8601. */
  readonly date: string
  readonly machine: Machine
  /** Of the load and the responder. */
  readonly language: 'C' | 'Node'
  readonly rounds: number
  readonly seconds: number
  readonly bodyBytes: number
  readonly cases: readonly CaseResult[]
  readonly targets: readonly TargetResult[]
}

function medianOf(rounds: readonly Measurement[], pick: (round: Measurement) => number | null): number | null {
  const values = rounds.flatMap((round) => pick(round) ?? [])
  return values.length === 0 ? null : median(values)
}

/** Each figure's own median; of errors the sum, which no median may hide. */
export function caseResult({ id, title, unit }: Case, rounds: readonly Measurement[]): CaseResult {
  const number = (pick: (round: Measurement) => number): number => median(rounds.map(pick))
  return {
    id,
    title,
    unit,
    rounds,
    median: {
      cpu: number(({ cpu }) => cpu),
      otherCpu: number(({ otherCpu }) => otherCpu),
      rate: number(({ rate }) => rate),
      p50: number(({ p50 }) => p50),
      p99: number(({ p99 }) => p99),
      peakMemory: medianOf(rounds, ({ peakMemory }) => peakMemory),
      errors: rounds.reduce((total, { errors }) => total + errors, 0),
      share: medianOf(rounds, ({ share }) => share),
    },
  }
}

/** Reads what an earlier run has written. */
export function readResults(file: string): Results {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results
  if (results.version !== 1) throw new Error(`${file} was written by another version of the bench`)
  return results
}
