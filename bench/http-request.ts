import type { LoadCase } from './cases.ts'

/** The script of every request; the gateway's document root has it. */
export const SCRIPT = '/index.php'

/** What curl sends. */
const USUAL: readonly (readonly [name: string, value: string])[] = [
  ['Host', 'www.example.com'],
  ['User-Agent', 'bench/1.0'],
  ['Accept', '*/*'],
  ['Accept-Encoding', 'deflate, gzip, br, zstd'],
]

const SMALL_BODY = Buffer.alloc(1_024, 'x')

/** The header fields of a request without what describes its body. */
export function headersOf(count: number = USUAL.length): readonly (readonly [name: string, value: string])[] {
  const more = Array.from({ length: Math.max(0, count - USUAL.length) }, (_, index): [string, string] => [
    `X-Bench-${index}`,
    `a value of medium length, number ${index}`,
  ])
  return [...USUAL, ...more]
}

/** The bytes that a client of the load sends; a long body follows them. */
export function encodeHttpRequest(load: LoadCase, bodyBytes: number): Buffer {
  const length = load.body === 'long' ? bodyBytes : load.body === 'small' ? SMALL_BODY.length : null
  const lines = [
    `${length === null ? 'GET' : 'POST'} ${SCRIPT} HTTP/1.1`,
    ...headersOf(load.headers).map(([name, value]) => `${name}: ${value}`),
    ...(length === null ? [] : ['Content-Type: application/octet-stream', `Content-Length: ${length}`]),
  ]
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return load.body === 'small' ? Buffer.concat([head, SMALL_BODY]) : head
}
