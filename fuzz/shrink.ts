/** A case that fails, and how. */
export interface Failing<Case> {
  readonly one: Case
  readonly problem: string
}

/** Attempts at making a case smaller, and milliseconds for all of them. */
const [MOST_ATTEMPTS, MOST_TIME] = [60, 60_000]

/** Takes the first simpler case that still fails, again and again, as far as that is cheap. */
export async function shrink<Case>(
  failing: Failing<Case>,
  simpler: (one: Case) => Iterable<Case>,
  fails: (one: Case) => Promise<string | null>,
): Promise<Failing<Case>> {
  const end = Date.now() + MOST_TIME
  let smallest = failing
  let attempts = 0
  for (let progress = true; progress; ) {
    progress = false
    for (const candidate of simpler(smallest.one)) {
      attempts += 1
      if (attempts > MOST_ATTEMPTS || Date.now() > end) return smallest
      const problem = await fails(candidate)
      if (problem === null) continue
      smallest = { one: candidate, problem }
      progress = true
      break
    }
  }
  return smallest
}
