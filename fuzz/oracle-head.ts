/** A CGI response as RFC 3875 section 6 and spec of the gateway have it. */
export interface Response {
  readonly status: number
  readonly body: Buffer
  readonly doubt: string | null
  /** All that the head announced is there: without a word on the length, only the end of the answer tells. */
  readonly isMeasured: boolean
  /** Bytes of all heads. */
  readonly headLength: number
}

interface Field {
  readonly name: string
  readonly value: string
}

/** Bytes of all heads together, and lines of each. */
const [LONGEST, MOST_LINES] = [65_536, 1_000]

/** Reads what a script sent; text: why that is no answer. */
export function readResponse(output: Buffer, method: string): Response | string {
  const all = output.toString('latin1')
  for (let at = 0; ; ) {
    const end = /\r?\n\r?\n/.exec(all.slice(at))
    if (/^\r?\n/.test(all.slice(at))) return 'a head that begins with an empty line'
    if (end === null) return 'a head without an end'
    const length = at + end.index + end[0].length
    if (length > LONGEST) return 'a head that is too long'
    const head = readHead(all.slice(at, at + end.index))
    if (typeof head === 'string') return head
    at = length
    if (head.status === 103) continue
    const response = measure(head, output.subarray(at), method)
    return typeof response === 'string' ? response : { ...response, headLength: at }
  }
}

function readHead(text: string): { status: number; fields: readonly Field[] } | string {
  const lines = text.split(/\r?\n/)
  if (lines.length > MOST_LINES) return 'too many lines'
  // RFC 9110 section 5.5; a CR that ends no line is one of them.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (lines.some((line) => /[\0-\x08\x0a-\x1f\x7f]/.test(line))) return 'a control character'
  const fields: Field[] = []
  let status: string | null = null
  for (const [index, line] of lines.entries()) {
    const statusLine = index === 0 ? /^HTTP\/\d(?:\.\d)? (.*)$/.exec(line)?.[1] : undefined
    if (statusLine !== undefined) {
      status = statusLine.replace(/^[ \t]+|[ \t]+$/g, '')
      continue
    }
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) return `the line ${JSON.stringify(line.slice(0, 80))}`
    if (name.toLowerCase() === 'status') status ??= value
    else fields.push({ name: name.toLowerCase(), value })
  }
  return withStatus(status, fields)
}

function withStatus(
  text: string | null,
  fields: readonly Field[],
): { status: number; fields: readonly Field[] } | string {
  if (text === null) {
    const moved = fields.find(({ name }) => name === 'location')
    return { status: moved !== undefined && moved.value !== '' ? 302 : 200, fields }
  }
  const digits = /^(\d{3})(?:[ \t]+.*)?$/.exec(text)?.[1]
  const status = Number(digits ?? 0)
  if (status !== 103 && (status < 200 || status > 599)) return `the status ${JSON.stringify(text.slice(0, 80))}`
  return { status, fields }
}

/** The body by its Content-Length. */
function measure(
  { status, fields }: { status: number; fields: readonly Field[] },
  sent: Buffer,
  method: string,
): Omit<Response, 'headLength'> | string {
  const lengths = fields.filter(({ name }) => name === 'content-length').map(({ value }) => value)
  if (lengths.some((text) => !/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))) return 'no Content-Length'
  if (new Set(lengths.map(Number)).size > 1) return 'two Content-Lengths'
  const doubt = fields.some(({ name }) => name === 'transfer-encoding') ? 'a Transfer-Encoding' : null
  if (method === 'HEAD' || [204, 205, 304].includes(status))
    return { status, body: Buffer.alloc(0), doubt, isMeasured: false }
  const length = lengths[0] === undefined ? sent.length : Number(lengths[0])
  if (sent.length < length) return 'a body shorter than its Content-Length'
  return { status, body: sent.subarray(0, length), doubt, isMeasured: lengths.length > 0 }
}
