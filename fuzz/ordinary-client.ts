import { connect as connectHttp2 } from 'node:http2'
import type { PlannedRequest } from './answer-plan.ts'
import { type HttpAnswer, readAnswers } from './http-answers.ts'
import { exchange } from './raw-client.ts'
import type { Step } from './steps.ts'
import type { Seen } from './verdict.ts'

/** Milliseconds after which a client must have been answered: beyond all timeouts of the gateway. */
const PATIENCE = 20_000

/** What an ordinary client asks, and how the one behind it on the same connection is known. */
export interface Question {
  readonly request: PlannedRequest
  /** The query. */
  readonly name: string
}

/** Asks over HTTP/1. */
export async function askHttp1(port: number, { request, name }: Question): Promise<Seen> {
  const steps: Step[] = [{ kind: 'send', bytes: textOf(request, name) }]
  if (request.deaf > 0) steps.push({ kind: 'deaf', time: request.deaf })
  if (request.leaveAfter !== null) steps.push({ kind: 'wait', time: request.leaveAfter }, { kind: 'close' })
  const methods = [request.method, 'GET']
  const exchanged = await exchange(port, steps, {
    satisfied: () => false,
    quiet: null,
    limit: PATIENCE,
    doubtsEnd: request.version === '1.0',
  })
  return { answers: readAnswers(exchanged.received, methods, exchanged.ending), hung: exchanged.hung }
}

function textOf({ method, version, bodyLength, chunked, followed }: PlannedRequest, name: string): string {
  const body = 'b'.repeat(bodyLength)
  const isChunked = chunked && version === '1.1' && bodyLength > 0
  const close = followed || version === '1.0' ? '' : 'Connection: close\r\n'
  const length = bodyLength > 0 || method === 'POST' ? `Content-Length: ${bodyLength}\r\n` : ''
  const framing = isChunked ? 'Transfer-Encoding: chunked\r\n' : length
  const content = isChunked ? `${bodyLength.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body
  const next = followed ? `GET /x?next-of-${name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n` : ''
  return `${method} /x?${name} HTTP/${version}\r\nHost: x\r\n${close}${framing}\r\n${content}${next}`
}

/** Heads as large as the gateway takes them from a script. */
const LARGE_HEADS = { maxHeaderListPairs: 2_000, settings: { maxHeaderListSize: 2 ** 20 } }

/** Asks over HTTP/2; a stream that ends with an error is an answer that is not complete. */
export function askHttp2(port: number, { request, name }: Question): Promise<Seen> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`, LARGE_HEADS)
    const stream = session.request(
      { ':method': request.method, ':path': `/x?${name}` },
      { endStream: request.bodyLength === 0 },
    )
    const body: Buffer[] = []
    let head: Pick<HttpAnswer, 'status' | 'fields'> | null = null
    let failed = false
    const finish = (hung: boolean): void => {
      clearTimeout(limit)
      clearTimeout(leaving)
      session.destroy()
      const complete = !failed && stream.rstCode === 0
      const answers = head === null ? [] : [{ ...head, body: Buffer.concat(body), complete }]
      resolve({ answers: { answers, interim: 0, rest: Buffer.alloc(0), problem: null }, hung })
    }
    const limit = setTimeout(() => finish(true), PATIENCE)
    const leaving = request.leaveAfter === null ? undefined : setTimeout(() => finish(false), request.leaveAfter)
    session.on('error', () => {
      failed = true
    })
    stream.on('response', (headers) => {
      const fields = Object.entries(headers).map(([key, value]) => [key, String(value)] as const)
      head = { status: headers[':status'] ?? 0, fields }
    })
    stream.on('data', (piece: Buffer) => body.push(piece))
    stream.on('error', () => {
      failed = true
    })
    stream.once('close', () => finish(false))
    if (request.bodyLength > 0) stream.end('b'.repeat(request.bodyLength))
  })
}
