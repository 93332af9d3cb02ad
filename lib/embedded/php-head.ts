/** How the JSON of the head ends; quotes inside of a field are escaped, so it is found nowhere else. */
const END = '"__terminator__"]}'

/** Gathers the head of an answer, which this build of PHP sends as JSON in pieces, and gives it in CGI's form. */
export class PhpHead {
  #text = ''

  /** The head (RFC 3875 section 6) as a byte string, once, with the piece that completes it; null before. */
  add(piece: Uint8Array): string | null {
    this.#text += Buffer.from(piece).toString('latin1')
    if (!this.#text.endsWith(END)) return null
    const head = formatCgiHead(this.#text)
    this.#text = ''
    return head
  }
}

function formatCgiHead(text: string): string {
  // Raw tabs may stand in fields and not in JSON.
  const head: unknown = JSON.parse(text.replaceAll('\t', '\\t'))
  if (!isHead(head)) throw new TypeError(`PHP sent a head of an unknown form: ${text}`)
  const fields = head.headers.filter((field) => field.includes(':'))
  // As php-fpm has it: 200 goes without saying.
  const lines = head.status === 200 ? fields : [`Status: ${head.status}`, ...fields]
  return `${lines.join('\r\n')}\r\n\r\n`
}

interface Head {
  readonly status: number
  readonly headers: readonly string[]
}

function isHead(value: unknown): value is Head {
  return (
    typeof value === 'object' &&
    value !== null &&
    'status' in value &&
    typeof value.status === 'number' &&
    'headers' in value &&
    Array.isArray(value.headers) &&
    value.headers.every((field) => typeof field === 'string')
  )
}
