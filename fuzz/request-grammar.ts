import { FRAMING, HOSTS, NAMES, TARGETS, TYPES, VALUES } from './odd-requests.ts'
import type { Random } from './random.ts'
import type { RawRequest, RequestCase } from './request-case.ts'

/** A request that must never be run: it stands in the bodies of others. */
const SMUGGLED = 'GET /echo.php?id=999999&smuggled HTTP/1.1\r\nHost: x\r\n\r\n'

const METHODS: readonly string[] = [
  'GET',
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'PROPFIND',
  'TRACE',
  'SEARCH',
]

/** What one client does with one connection. */
export function makeCase(random: Random, caseNumber: number): RequestCase {
  const count = random.choose([6, () => 1], [2, () => 2], [1, () => random.int(3, 5)])
  const disorder = random.choose([5, () => 0], [4, () => 1])
  const requests = Array.from({ length: count }, (_, index) => {
    const id = caseNumber * 10 + index
    const isLast = index === count - 1
    const orderly = orderlyRequest(random, { id, isFirst: index === 0, isLast })
    return disorder === 1 && (isLast || random.chance(0.3)) ? disorderlyRequest(random, orderly) : orderly
  })
  const length = requests.reduce(
    (sum, one) => sum + one.line.length + one.fields.join('').length + one.body.length + 4,
    0,
  )
  const slow = random.chance(0.1)
  return {
    requests,
    cut: random.chance(0.06) ? random.int(0, length) : null,
    splits: random.chance(0.4) ? random.times(1, 6, () => random.int(1, Math.min(length, 4_000))) : [],
    pause: slow ? random.int(1, 40) : 0,
    byteByByte: length < 600 && random.chance(0.05),
    deaf: random.chance(0.03) ? random.int(1, 60) : 0,
    ending: random.choose<RequestCase['ending']>(
      [16, () => 'stay'],
      [1, () => 'half-close'],
      [1, () => 'close'],
      [1, () => 'reset'],
    ),
  }
}

/** Strange, but whole: an HTTP server must take it for what it is. */
function orderlyRequest(
  random: Random,
  { id, isFirst, isLast }: { id: number; isFirst: boolean; isLast: boolean },
): RawRequest {
  const method = random.pick(METHODS)
  const target = withId(orderlyTarget(random), id)
  const version = isLast && random.chance(0.1) ? '1.0' : '1.1'
  const fields = [`Host: ${random.choose([8, () => '127.0.0.1'], [1, () => random.pick(HOSTS)])}\r\n`]
  if (isLast && random.chance(0.9)) fields.push('Connection: close\r\n')
  for (
    let left = random.choose([4, () => 0], [4, () => random.int(1, 4)], [1, () => random.int(20, 60)]);
    left > 0;
    left -= 1
  ) {
    fields.splice(random.int(0, fields.length), 0, `${random.pick(NAMES)}: ${fieldValue(random)}\r\n`)
  }
  if (random.chance(0.04)) fields.push(`X-Long: ${'v'.repeat(random.pick([4_000, 12_000]))}\r\n`)
  const { coding, body, bodyLength } = orderlyBody(random, { method, version })
  return {
    line: `${method} ${target} HTTP/${version}`,
    // Behind another one Node puts the head of a host's own answer before the 100 (ours are tested in security/pipelined-interim).
    fields: [...fields, ...(isFirst ? coding : coding.filter((field) => field !== EXPECTING))],
    body,
    method,
    id,
    orderly: true,
    bodyLength,
  }
}

/** Targets that any server takes for one: paths, and others. */
const PATHS: readonly string[] = TARGETS.filter((target) => /^\/[\x21-\x7e]*$/.test(target))
const URLS: readonly string[] = TARGETS.filter((target) => /^(?:https?:\/\/[\x21-\x7e]*|\*)$/.test(target))

function orderlyTarget(random: Random): string {
  return random.choose(
    [3, () => random.pick(['/echo.php', '/index.php', '/sub/page.php', '/echo.php/path/info'])],
    [5, () => random.pick([...PATHS, ...URLS])],
    [1, () => `${random.pick(PATHS)}${random.pick(PATHS)}`],
    [1, () => `/app${random.pick(PATHS)}`],
  )
}

/** Marked in its query, so that its echo tells which request it answers. */
function withId(target: string, id: number): string {
  if (target === '*' || target.includes('#')) return target
  return `${target}${target.includes('?') ? '&' : '?'}id=${id}`
}

function fieldValue(random: Random): string {
  return random.choose(
    [6, () => random.pick(VALUES)],
    [1, () => random.bytes(random.int(1, 30)).replace(/[^\t\x20-\x7e\x80-\xff]/g, '')],
  )
}

const EXPECTING = 'Expect: 100-continue\r\n'

interface FramedBody {
  readonly coding: readonly string[]
  readonly body: string
  readonly bodyLength: number
}

function orderlyBody(random: Random, { method, version }: { method: string; version: string }): FramedBody {
  const none = { coding: [], body: '', bodyLength: 0 }
  if (!random.chance(method === 'POST' || method === 'PUT' || method === 'PATCH' ? 0.95 : 0.12)) return none
  const content = contentOf(random)
  const coding = random.chance(0.7) ? [`Content-Type: ${random.pick(TYPES)}\r\n`] : []
  if (random.chance(0.1)) coding.push(EXPECTING)
  if (version === '1.0' || random.chance(0.6)) {
    return { coding: [...coding, `Content-Length: ${content.length}\r\n`], body: content, bodyLength: content.length }
  }
  const name = random.pick(['Transfer-Encoding', 'transfer-encoding', 'TRANSFER-ENCODING'])
  return { coding: [...coding, `${name}: chunked\r\n`], body: chunked(random, content), bodyLength: content.length }
}

function contentOf(random: Random): string {
  return random.choose(
    [3, () => SMUGGLED],
    [2, () => random.bytes(random.int(0, 60))],
    [2, () => `a=b&${'x'.repeat(random.int(0, 3_000))}`],
    [1, () => '--x\r\nContent-Disposition: form-data; name="f"; filename="../x.php"\r\n\r\n<?php\r\n--x--\r\n'],
    [1, () => SMUGGLED.repeat(random.pick([10, 1_000, 1_300, 4_000]))],
    [1, () => ''],
  )
}

/** Odd sizes, leading zeros, extensions and trailers, all as RFC 9112 section 7.1 allows. */
function chunked(random: Random, content: string): string {
  const size = (length: number): string => {
    const digits = length.toString(16)
    return random.pick([digits, digits.toUpperCase(), `000${digits}`])
  }
  const extension = (): string =>
    random.chance(0.2) ? random.pick([';a', ';a=b', ';a="b;c"', `;${'x'.repeat(300)}`]) : ''
  const pieces: string[] = []
  for (let at = 0; at < content.length; ) {
    const piece = content.slice(
      at,
      at + random.choose([3, () => content.length], [2, () => random.int(Math.ceil(content.length / 60), 300)]),
    )
    pieces.push(`${size(piece.length)}${extension()}\r\n${piece}\r\n`)
    at += piece.length
  }
  const trailers = random.chance(0.15)
    ? random.times(1, 3, () => `${random.pick(['X-Late', 'Proxy', 'X-T'])}: ${random.pick(['x', '1'])}\r\n`)
    : []
  return `${pieces.join('')}0${extension()}\r\n${trailers.join('')}\r\n`
}

/** The same request with something in it that no server should take. */
function disorderlyRequest(random: Random, request: RawRequest): RawRequest {
  const { line, fields, body } = request
  const changed = random.choose<Partial<RawRequest>>(
    [3, () => ({ line: oddLine(random, request) })],
    [4, () => ({ fields: inserted(random, fields, oddField(random)) })],
    [2, () => ({ fields: inserted(random, fields, `${random.pick(FRAMING)}\r\n`) })],
    [1, () => ({ fields: fields.filter(() => random.chance(0.6)) })],
    [1, () => ({ fields: fields.map((field) => field.replace('\r\n', random.pick(['\n', '\r', '\r\r\n', '\r\n ']))) })],
    [1, () => ({ body: body.slice(0, random.int(0, body.length)) })],
    [1, () => ({ body: body + random.pick([SMUGGLED, random.bytes(20), '\r\n\r\n', '0\r\n\r\n']) })],
    [1, () => ({ body: spoiled(random, body) })],
    [1, () => ({ line: spoiled(random, line) })],
    [1, () => ({ line: random.bytes(random.int(1, 200)), fields: [], body: random.bytes(random.int(0, 400)) })],
  )
  return { ...request, ...changed, orderly: false }
}

function oddLine(random: Random, { method, id }: RawRequest): string {
  const target = random.pick(TARGETS)
  const oddTarget = random.choose(
    [4, () => withId(target, id)],
    [1, () => `${target}${random.bytes(4)}`],
    [1, () => `/${random.bytes(8)}.php`],
    [1, () => `/echo.php?${'q'.repeat(random.pick([4_000, 15_000, 70_000]))}`],
    [1, () => `/${'../'.repeat(random.pick([3, 2_000]))}secret.txt`],
    [1, () => `/echo.php/${'%2e/'.repeat(1_000)}`],
  )
  const oddMethod = random.choose(
    [8, () => method],
    [1, () => random.pick(['CONNECT', 'get', 'FOO', '', 'GET\0', 'M-SEARCH', 'PRI', 'G'.repeat(9_000)])],
  )
  const version = random.choose(
    [8, () => 'HTTP/1.1'],
    [1, () => random.pick(['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1 ', 'HTTP/1', ''])],
  )
  return random.choose(
    [9, () => `${oddMethod} ${oddTarget} ${version}`],
    [1, () => `${oddMethod}\t${oddTarget}  ${version}`],
  )
}

function oddField(random: Random): string {
  const end = random.choose([8, () => '\r\n'], [1, () => random.pick(['\n', '\r', '\r\n\t folded\r\n', '\0\r\n'])])
  return random.choose(
    [4, () => `${random.pick(NAMES)}: ${random.pick(VALUES)}${end}`],
    [
      2,
      () => `${random.pick(NAMES)}${random.pick([' ', '\t', '\0', '\x7f', '\xe9', '(', '/', '[', '.', '_'])}: x${end}`,
    ],
    [1, () => `${random.pick(NAMES)}: ${random.bytes(random.int(1, 40))}${end}`],
    [1, () => `: no name${end}`],
    [1, () => `no colon${end}`],
    [1, () => `X-Huge: ${'v'.repeat(random.pick([16_500, 70_000, 300_000]))}${end}`],
    [1, () => random.times(90, random.pick([100, 2_100]), (index) => `X-${index}: y\r\n`).join('')],
    [1, () => `Cookie: a=b${end}`.repeat(random.int(2, 20))],
  )
}

function inserted(random: Random, fields: readonly string[], field: string): readonly string[] {
  const at = random.int(0, fields.length)
  return [...fields.slice(0, at), field, ...fields.slice(at)]
}

function spoiled(random: Random, text: string): string {
  if (text === '') return random.bytes(3)
  const at = random.int(0, text.length - 1)
  return text.slice(0, at) + random.bytes(random.int(1, 3)) + text.slice(at + random.int(0, 3))
}
