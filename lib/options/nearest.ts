/**
 * The known name that an unknown one was probably meant to be, or undefined when none is near. Case does not count.
 * @param known spellings and what each stands for
 */
export function nearest(
  unknown: string,
  known: Iterable<readonly [spelling: string, name: string]>,
): string | undefined {
  const wanted = unknown.toLowerCase()
  // A third of the letters may be wrong, else any short name would be near.
  let best = { distance: Math.ceil(wanted.length / 3) + 1, name: undefined as string | undefined }
  for (const [spelling, name] of known) {
    const distance = editDistance(wanted, spelling.toLowerCase())
    if (distance < best.distance) best = { distance, name }
  }
  return best.name
}

/** Longest name that is compared: no key is near to a longer one. */
const MAX_COMPARED = 40

/** Insertions, deletions and replacements between two words (Levenshtein). */
function editDistance(one: string, other: string): number {
  if (one.length > MAX_COMPARED) return one.length
  let row = Array.from({ length: other.length + 1 }, (_, column) => column)
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
