/** PHP's own limit (`max_input_nesting_level`); deeper variables it drops. */
const DEEPEST = 64

/**
 * Writes what a form parser made of a body as a form that PHP reads the same: objects and arrays in bracket notation. Throws
 * RangeError where it is nested deeper than PHP reads.
 */
export function encodeForm(form: object): string {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(form)) {
    // A name with brackets comes from a parser that leaves them to the application: what repeats it is as the client wrote it.
    if (Array.isArray(value) && name.includes('[')) for (const each of value) append(pairs, name, each)
    else append(pairs, name, value)
  }
  return pairs.toString()
}

function append(pairs: URLSearchParams, name: string, value: unknown, depth: number = 0): void {
  if (value === undefined) return
  if (typeof value !== 'object' || value === null) {
    pairs.append(name, String(value ?? ''))
    return
  }
  if (depth === DEEPEST) throw new RangeError(`the form is nested more than ${DEEPEST} deep`)
  for (const [key, member] of Object.entries(value)) append(pairs, `${name}[${key}]`, member, depth + 1)
}
