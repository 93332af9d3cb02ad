/** An HTTP/1 answer as a strict client reads it. Bytes are latin1 characters. */
export interface HttpAnswer {
  readonly status: number
  /** Names in lower case, in their order. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** All of it has come, as far as its framing tells. */
  readonly complete: boolean
}

/** How a connection ended, if it did. */
export type Ending = 'end' | 'reset' | 'open'

/** What a connection brought. */
export interface Answers {
  /** Without interim ones; the last may be incomplete. */
  readonly answers: readonly HttpAnswer[]
  /** Interim answers (1xx). */
  readonly interim: number
  /** Bytes behind the last answer. */
  readonly rest: Buffer
  /** What no strict client takes. */
  readonly problem: string | null
}

interface Head {
  readonly status: number
  readonly fields: readonly (readonly [string, string])[]
  readonly length: number
}

interface Body {
  readonly content: Buffer
  readonly length: number
  readonly complete: boolean
}

class Unreadable extends Error {}

/** Reads answers to requests of these methods; more answers than methods are taken for answers to GET. */
export function readAnswers(bytes: Buffer, methods: readonly string[], ending: Ending): Answers {
  const answers: HttpAnswer[] = []
  let interim = 0
  let at = 0
  try {
    while (at < bytes.length) {
      const head = readHead(bytes.subarray(at))
      if (head === null) break
      if (head.status < 200 && head.status !== 101) {
        interim += 1
        at += head.length
        continue
      }
      const body = readBody(bytes.subarray(at + head.length), head, {
        method: methods[answers.length] ?? 'GET',
        ending,
      })
      answers.push({ status: head.status, fields: head.fields, body: body.content, complete: body.complete })
      at += head.length + body.length
      if (!body.complete) break
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { answers, interim, rest: bytes.subarray(at), problem: error.message }
  }
  return { answers, interim, rest: bytes.subarray(at), problem: null }
}

/** The value of a field, undefined where there is none. */
export function fieldOf(answer: Pick<HttpAnswer, 'fields'>, name: string): string | undefined {
  return answer.fields.find(([each]) => each === name)?.[1]
}

function readHead(bytes: Buffer): Head | null {
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1')
  if (end === -1) {
    const begin = bytes.toString('latin1', 0, 12)
    if (!'HTTP/1.1 '.startsWith(begin.slice(0, 9))) throw new Unreadable(`no status line: ${JSON.stringify(begin)}`)
    return null
  }
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = /^HTTP\/1\.1 ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(first)?.[1]
  if (status === undefined) throw new Unreadable(`no status line: ${JSON.stringify(first.slice(0, 200))}`)
  return { status: Number(status), fields: lines.map(readField), length: end + 4 }
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Unreadable(`no field: ${JSON.stringify(line.slice(0, 200))}`)
  return [name.toLowerCase(), value]
}

function readBody(bytes: Buffer, head: Head, { method, ending }: { method: string; ending: Ending }): Body {
  const lengths = new Set(head.fields.filter(([name]) => name === 'content-length').map(([, value]) => value))
  const codings = head.fields.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value)
  if (lengths.size > 1) throw new Unreadable('two Content-Lengths')
  if (lengths.size > 0 && codings.length > 0) throw new Unreadable('both Content-Length and Transfer-Encoding')
  if (codings.length > 1 || (codings[0] ?? 'chunked') !== 'chunked') throw new Unreadable(`codings ${codings}`)
  if (method === 'HEAD' || head.status === 204 || head.status === 304)
    return { content: Buffer.alloc(0), length: 0, complete: true }
  if (codings.length > 0) return readChunks(bytes)
  const [text] = lengths
  if (text === undefined) return { content: bytes, length: bytes.length, complete: ending === 'end' }
  if (!/^\d+$/.test(text)) throw new Unreadable(`Content-Length ${text}`)
  const content = bytes.subarray(0, Number(text))
  return { content, length: content.length, complete: content.length === Number(text) }
}

function readChunks(bytes: Buffer): Body {
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const incomplete = { content: Buffer.concat(pieces), length: bytes.length, complete: false }
    const end = bytes.indexOf('\r\n', at, 'latin1')
    if (end === -1) return incomplete
    const line = bytes.toString('latin1', at, end)
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) throw new Unreadable(`chunk size ${JSON.stringify(line.slice(0, 100))}`)
    const size = Number.parseInt(line, 16)
    const content = bytes.subarray(end + 2, end + 2 + size)
    if (bytes.length < end + 2 + size + 2) return { ...incomplete, content: Buffer.concat([...pieces, content]) }
    if (bytes.toString('latin1', end + 2 + size, end + 4 + size) !== '\r\n')
      throw new Unreadable('a chunk without its end')
    at = end + 4 + size
    if (size === 0) return { content: Buffer.concat(pieces), length: at, complete: true }
    pieces.push(content)
  }
}
