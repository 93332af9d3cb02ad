/** Samples of a chart, so many in one that no more than a number of points is left. */
export interface MergedSamples {
  /** Of the last sample in each; the first begins where the samples begin. */
  readonly times: readonly number[]
  /** The largest value in each, so that no peak is lost; null: none. */
  peaks(values: readonly (number | null)[]): readonly (number | null)[]
}

/** As many of a span as fit into a number of points; they are left alone where there are no more. Times are milliseconds. */
export function mergeSamples(
  times: readonly number[],
  { span, points }: { readonly span: number; readonly points: number },
): MergedSamples {
  if (times.length <= points) return { times, peaks: (values) => values }
  // Parts of the clock, not of the list: which samples are one must not change when the page is drawn again.
  const part = span / (points - 1)
  const partOf = (index: number): number => Math.floor((times[index] ?? 0) / part)
  const starts = [...times.keys()].filter((index) => index === 0 || partOf(index) !== partOf(index - 1))
  const ends = [...starts.slice(1), times.length]
  return {
    times: ends.map((end, index) => times[index === 0 ? 0 : end - 1] ?? 0),
    peaks: (values) => starts.map((start, index) => largest(values.slice(start, ends[index]))),
  }
}

function largest(values: readonly (number | null)[]): number | null {
  const there = values.filter((value) => value !== null)
  return there.length === 0 ? null : Math.max(...there)
}
