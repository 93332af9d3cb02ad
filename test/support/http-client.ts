import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http'

/** An answer with its whole body. */
export interface Answer {
  readonly status: number
  readonly reason: string
  readonly headers: IncomingHttpHeaders
  /** Names and values as they came, in turn. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly text: string
}

/** What to send beside the URL. */
export interface Question extends RequestOptions {
  /** Whole: with Content-Length. In pieces: chunked. */
  readonly body?: Buffer | string | readonly Buffer[]
}

/** Sends a request on a connection of its own and resolves when the head of the answer is there. */
export function open(url: string, question: Question = {}): Promise<IncomingMessage> {
  const { body, ...options } = question
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, ...options }, resolve)
    // Node leaves the length of a DELETE's body out.
    if (body !== undefined && !Array.isArray(body)) req.setHeader('Content-Length', Buffer.byteLength(body as string))
    req.once('error', reject)
    if (Array.isArray(body)) {
      for (const piece of body) req.write(piece)
      req.end()
    } else req.end(body as Buffer | string | undefined)
  })
}

/** Reads what is left of an answer. */
export async function read(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of message) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** Sends a request and reads the whole answer. */
export async function ask(url: string, question: Question = {}): Promise<Answer> {
  const message = await open(url, question)
  const body = await read(message)
  const { statusCode = 0, statusMessage = '', headers, rawHeaders } = message
  return { status: statusCode, reason: statusMessage, headers, rawHeaders, body, text: body.toString('utf8') }
}

/** Asks for JSON. */
export async function askJson<T = Record<string, string>>(url: string, question: Question = {}): Promise<T> {
  const answer = await ask(url, question)
  try {
    return JSON.parse(answer.text) as T
  } catch (error) {
    throw new Error(`${url} answered ${answer.status}: ${answer.text.slice(0, 500)}`, { cause: error })
  }
}
