import { type AnswerPlan, markOf, type PlannedRecord, type PlannedRequest } from './answer-plan.ts'
import type { Random } from './random.ts'

const [BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN] = Array.from(
  { length: 11 },
  (_, index) => index + 1,
) as [number, number, number, number, number, number, number, number, number, number, number]

/** Lines of a head that some reader takes for something else. */
export const ODD_LINES: readonly string[] = [
  'Status: 404 Not Found',
  'Status: 204',
  'Status: 304',
  'Status: 205 Reset',
  'Status: 103 Early Hints',
  'Status: 99',
  'Status: 100 Continue',
  'Status: 600 x',
  'Status: 20000',
  'Status: two hundred',
  'Status:200\t \xe9\xff',
  'Status:',
  'status: 500 x',
  'HTTP/1.1 200 OK',
  'HTTP/1.0 404 Not Found',
  'HTTP/2 200',
  'HTTP/1.1',
  'Location: /elsewhere',
  'Location: http://example.com/a b',
  'Location:',
  'Location: /a\r\nSet-Cookie: a=b',
  'Content-Type: text/html\xff; charset=\xe9',
  'Content-Type: a/b\0c',
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: -1',
  'Content-Length: 1e3',
  'Content-Length: 0x10',
  'Content-Length: 99999999999999999999',
  'Content-Length: 3, 3',
  'Content-Length :4',
  'Transfer-Encoding: chunked',
  'Connection: close, Content-Length, X-Fuzz',
  'Connection: keep-alive',
  'Keep-Alive: timeout=1',
  'Upgrade: h2c',
  'Trailer: X-Late',
  'Proxy-Authenticate: Basic',
  'X-Accel-Buffering: no',
  'X-Accel-Redirect: /etc/passwd',
  'Set-Cookie: a=1; Path=/',
  'Set-Cookie: b=2\x7f',
  'Link: </a.css>; rel=preload, <b">',
  'Date: yesterday',
  'Bad Name: x',
  'X-\xe9: x',
  ': no name',
  ' folded: over',
  '\tfolded',
  'no colon at all',
  'X-Cr: a\rb',
  'X-Lf: a\n b',
  'X-Null: \0',
  'X-Esc: \x1b[31m',
  'X-Tab:\t a\tb \t',
  'X-Empty:',
  '\r',
  '',
]

/** A request of an ordinary client. */
export function makeRequest(random: Random): PlannedRequest {
  const method = random.choose<string>(
    [6, () => 'GET'],
    [2, () => 'POST'],
    [1, () => 'HEAD'],
    [1, () => random.pick(['PUT', 'DELETE', 'PATCH', 'OPTIONS'])],
  )
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(method)
  const version = random.chance(0.15) ? '1.0' : '1.1'
  return {
    method,
    version,
    bodyLength: hasBody ? random.pick([0, 1, 100, 8_192, 65_535, 65_536, 65_537, 200_000]) : 0,
    chunked: random.chance(0.2),
    deaf: random.chance(0.05) ? random.int(1, 60) : 0,
    followed: version === '1.1' && random.chance(0.3),
    leaveAfter: random.chance(0.06) ? random.int(0, 20) : null,
  }
}

/** An answer that is in order, perhaps strange, or gone wrong in some place. */
export function makePlan(random: Random, caseNumber: number): AnswerPlan {
  const records = recordsOf(random, headOf(random, markOf(caseNumber)))
  if (random.chance(0.35)) spoil(random, records)
  const plan: AnswerPlan = {
    records,
    garbage: random.chance(0.08) ? random.bytes(random.pick([1, 7, 8, 9, 300])) : '',
    cut: null,
    flips: [],
    splits: random.chance(0.5) ? random.times(1, 8, () => random.int(0, random.pick([40, 600, 70_000]))) : [],
    pause: random.chance(0.15) ? { at: random.int(0, 3), time: random.int(1, 30) } : null,
    byteByByte: false,
    ending: random.choose([6, () => 'open'], [3, () => 'close'], [1, () => 'half-close'], [1, () => 'reset']),
    early: random.chance(0.25),
  }
  return deliver(random, plan)
}

/** What goes wrong on the way: cut, changed, byte by byte. */
function deliver(random: Random, plan: AnswerPlan): AnswerPlan {
  const length = plan.records.reduce((sum, { content, padding }) => sum + 8 + content.length + padding, 0)
  const cut = random.chance(0.15) ? random.int(0, length + plan.garbage.length) : null
  const flips = random.chance(0.08)
    ? random.times(1, 3, () => [random.int(0, Math.min(length, 400)), 1 << random.int(0, 7)] as const)
    : []
  const ends = cut === null && flips.length === 0 && plan.records.some(({ type }) => type === END)
  return {
    ...plan,
    cut,
    flips,
    byteByByte: length < 700 && random.chance(0.15),
    // What does not end by itself costs a whole readTimeout: seldom.
    ending: plan.ending === 'open' && !ends && random.chance(0.93) ? 'close' : plan.ending,
  }
}

/** Head and body as STDOUT will have them. */
function headOf(random: Random, mark: string): string {
  const lines = [`X-Fuzz: ${mark}`, 'Content-Type: text/plain']
  const body = bodyOf(random, mark)
  if (random.chance(0.4))
    lines.push(
      `Content-Length: ${body.length + random.choose([6, () => 0], [1, () => 1], [1, () => -1], [1, () => random.int(-50, 5_000)])}`,
    )
  if (random.chance(0.2)) lines.push(`Status: ${random.pick([200, 200, 201, 404, 500, 503, 302, 204, 304])}`)
  const odd = random.choose([12, () => 0], [5, () => 1], [1, () => random.int(2, 6)])
  for (let index = 0; index < odd; index += 1) lines.splice(random.int(0, lines.length), 0, oddLine(random))
  const end = (): string => (random.chance(0.85) ? '\r\n' : '\n')
  const head = lines.map((line) => line + end()).join('') + end()
  const hints = random.chance(0.04) ? `Status: 103\r\nLink: </${mark}.css>\r\n\r\n` : ''
  return random.choose([30, () => hints + head + body], [1, () => head.trimEnd()], [1, () => body], [1, () => ''])
}

function oddLine(random: Random): string {
  return random.choose(
    [12, () => random.pick(ODD_LINES)],
    [1, () => `X-Long: ${'v'.repeat(random.pick([1_000, 8_000, 16_500, 65_400, 66_000]))}`],
    [1, () => random.times(2, random.pick([50, 1_100]), (index) => `X-${index}: ${index}`).join('\r\n')],
    [1, () => random.bytes(random.int(1, 40))],
  )
}

function bodyOf(random: Random, mark: string): string {
  const length = random.pick([
    0, 0, 1, 20, 20, 300, 300, 1_000, 8_192, 16_384, 16_385, 65_535, 65_536, 150_000, 400_000,
  ])
  const line = `${mark} ${random.chance(0.2) ? '\0\r\n\r\n\xff\n' : 'text'}\n`
  return line.repeat(Math.ceil(length / line.length)).slice(0, length)
}

/** STDOUT in records of odd lengths, STDERR and padding between, and an end. */
function recordsOf(random: Random, output: string): PlannedRecord[] {
  const records: PlannedRecord[] = []
  const size = (): number => random.pick([1, 7, 8, 9, 127, 128, 300, 4_096, 32_768, 65_535, 65_535, 65_535])
  // Not one byte in each record where they are many: that is tried by itself.
  const least = output.length / 300
  for (let at = 0; at < output.length; ) {
    if (random.chance(0.08))
      records.push(
        record(random, STDERR, random.chance(0.1) ? 'e\n'.repeat(30_000) : `warning\x1b \r\n${random.bytes(5)}`),
      )
    const content = output.slice(at, at + Math.min(65_535, Math.max(least, random.chance(0.3) ? 65_535 : size())))
    records.push(record(random, STDOUT, content))
    at += content.length
  }
  if (random.chance(0.6)) records.push(record(random, STDOUT, ''))
  if (random.chance(0.2)) records.push(record(random, STDERR, ''))
  records.push(record(random, END, endContent(random)))
  return records
}

function endContent(random: Random): string {
  const appStatus = random.chance(0.1) ? random.bytes(4) : '\0\0\0\0'
  const protocolStatus = random.chance(0.06) ? random.int(1, 255) : 0
  // The reserved bytes hold garbage (php-fpm.md 12).
  const content = appStatus + String.fromCharCode(protocolStatus) + random.bytes(3)
  return random.chance(0.03) ? content.slice(0, random.int(0, 7)) : random.chance(0.02) ? `${content}more` : content
}

function record(random: Random, type: number, content: string): PlannedRecord {
  const padding = random.chance(0.7) ? 0 : random.pick([1, 7, 8, 254, 255, random.int(0, 255)])
  return { type, id: null, content, padding }
}

/** Puts something in that has no place there, or takes something away. */
function spoil(random: Random, records: PlannedRecord[]): void {
  const at = random.int(0, records.length)
  const one = records[Math.min(at, records.length - 1)]
  random.choose<unknown>(
    [4, () => records.splice(at, 0, oddRecord(random))],
    // Behind the end: no answer of this request, and none of the next.
    [3, () => records.push(...random.times(1, 3, () => oddRecord(random)))],
    [
      1,
      () =>
        records.push(record(random, STDOUT, `X-Fuzz: ${markOf(0)}\r\n\r\nlate`), record(random, END, '\0'.repeat(8))),
    ],
    [1, () => records.unshift(record(random, END, endContent(random)))],
    [1, () => records.pop()],
    [1, () => one !== undefined && records.splice(at, 1)],
    [1, () => one !== undefined && records.splice(at, 1, { ...one, version: random.pick([0, 2, 255]) })],
    [1, () => one !== undefined && records.splice(at, 1, { ...one, id: random.pick([0, 2, 255, 65_535]) })],
    [1, () => one !== undefined && records.splice(at, 1, { ...one, claimed: random.pick([0, 1, 8, 65_535]) })],
  )
}

function oddRecord(random: Random): PlannedRecord {
  const types = [
    0,
    BEGIN,
    ABORT,
    END,
    PARAMS,
    STDIN,
    STDOUT,
    STDERR,
    DATA,
    GET_VALUES,
    GET_VALUES_RESULT,
    UNKNOWN,
    12,
    255,
  ]
  return {
    type: random.pick(types),
    id: random.choose([3, () => null], [2, () => random.pick([0, 2, 65_535])]),
    content: random.bytes(random.choose([6, () => random.pick([0, 1, 8, 9, 200])], [1, () => 65_535])),
    padding: random.pick([0, 0, 1, 255]),
  }
}
