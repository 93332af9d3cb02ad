import type { Step } from './steps.ts'

/** One request as it stands on the wire, right or wrong. Bytes are latin1 characters. */
export interface RawRequest {
  /** Without its end. */
  readonly line: string
  /** Each with its end. */
  readonly fields: readonly string[]
  /** With its framing. */
  readonly body: string
  /** What {@link RawRequest.orderly} requests are answered by: HEAD has no body. */
  readonly method: string
  /** In its query as `id=`. */
  readonly id: number
  /** Its framing and its head are such that an HTTP server must read exactly this request. */
  readonly orderly: boolean
  /** Where it is orderly: the bytes of its body without framing. */
  readonly bodyLength: number
}

/** What a hostile client does on one connection. Plain data. */
export interface RequestCase {
  readonly requests: readonly RawRequest[]
  /** Of all that only so many bytes are sent; null: all. */
  readonly cut: number | null
  readonly splits: readonly number[]
  /** Milliseconds between the pieces. */
  readonly pause: number
  readonly byteByByte: boolean
  /** Milliseconds for which the client reads nothing. */
  readonly deaf: number
  readonly ending: 'stay' | 'half-close' | 'close' | 'reset'
}

/** All that the client sends. */
export function encodeCase(one: RequestCase): string {
  const all = one.requests.map(({ line, fields, body }) => `${line}\r\n${fields.join('')}\r\n${body}`).join('')
  return one.cut === null ? all : all.slice(0, one.cut)
}

/** Whether each request must be answered, in their order. */
export function isOrderly(one: RequestCase): boolean {
  return one.cut === null && one.ending === 'stay' && one.requests.every(({ orderly }) => orderly)
}

/** What the client does, step by step. */
export function stepsOfCase(one: RequestCase): readonly Step[] {
  const text = encodeCase(one)
  const steps: Step[] = []
  if (one.byteByByte) steps.push({ kind: 'drip', bytes: text, size: 1 })
  else {
    const edges = [0, ...[...one.splits].filter((at) => at < text.length).sort((a, b) => a - b), text.length]
    for (const [index, edge] of edges.slice(1).entries()) {
      if (index > 0 && one.pause > 0) steps.push({ kind: 'wait', time: one.pause })
      steps.push({ kind: 'send', bytes: text.slice(edges[index], edge) })
    }
  }
  if (one.deaf > 0) steps.push({ kind: 'deaf', time: one.deaf })
  if (one.ending !== 'stay') steps.push({ kind: one.ending })
  return steps
}
