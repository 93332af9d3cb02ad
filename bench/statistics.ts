/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** A quotient over rounds: the median of each round's own, so that what slows a whole round cancels out. */
export interface Ratio {
  readonly value: number
  readonly least: number
  readonly most: number
}

/** Null: nothing was measured in common. */
export function pairedRatio(numerators: readonly number[], denominators: readonly number[]): Ratio | null {
  const each = numerators.flatMap((value, round) => {
    const divisor = denominators[round]
    return divisor === undefined || divisor === 0 ? [] : [value / divisor]
  })
  if (each.length === 0) return null
  return { value: median(each), least: Math.min(...each), most: Math.max(...each) }
}
