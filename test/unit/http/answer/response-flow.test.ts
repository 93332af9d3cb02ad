import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { connect, constants, createServer as createHttp2Server } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { describe, it } from 'node:test'
import { type ResponseRules, ResponseWriter } from '../../../../lib/http/answer/response.ts'
import { eventually } from '../../../support/eventually.ts'
import { listen } from '../../../support/listen.ts'

const RULES: ResponseRules = {
  interceptErrors: false,
  localRedirects: false,
  hideHeaders: new Set(),
  passHeaders: new Set(),
  responseBuffer: 256 * 1024,
  clientTimeout: 0,
}

/** A backend that sends pieces as long as it is not held back. */
class Source {
  paused = false
  pauses = 0
  sent = 0
  #resume: () => void = () => undefined

  pause(): void {
    this.paused = true
    this.pauses += 1
  }

  resume(): void {
    this.paused = false
    this.#resume()
  }

  stalled(): void {
    throw new Error('the client was given up')
  }

  /** Sends `total` bytes in pieces, a flush behind each; then ends. */
  async send(writer: ResponseWriter, total: number, head = ''): Promise<void> {
    const piece = Buffer.alloc(32 * 1024, 'x')
    writer.write(Buffer.from(`Content-Type: text/plain\n${head}\n`))
    while (this.sent < total) {
      writer.write(piece)
      this.sent += piece.length
      writer.flush()
      if (this.paused)
        await new Promise<void>((resolve) => {
          this.#resume = resolve
        })
      else await new Promise(setImmediate)
    }
    writer.end()
  }
}

/** Serves `total` bytes to a client that reads nothing until it is told to. */
async function slowly(head: string, responseBuffer: number, total: number) {
  const source = new Source()
  const responses: ServerResponse[] = []
  const server = createServer((_req, res) => {
    responses.push(res)
    const writer = new ResponseWriter({
      method: 'GET',
      res,
      rules: { ...RULES, responseBuffer },
      source,
      warn: () => undefined,
    })
    void source.send(writer, total, head)
  })
  const listening = await listen(server)
  const socket = connectSocket(listening.port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'))
  socket.pause()
  let received = 0
  socket.on('data', (chunk) => {
    received += chunk.length
  })
  socket.pause()
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  return { source, responses, socket, received: () => received, closed: () => closed, listening }
}

describe('ResponseWriter, back-pressure', () => {
  it('holds the backend back once so much is ahead of the client, and lets it go on', async () => {
    const total = 32 * 1024 * 1024
    const { source, responses, socket, received, closed, listening } = await slowly('', 256 * 1024, total)
    await eventually('the backend is held back', () => source.paused)
    const [res] = responses
    assert.ok(res !== undefined && res.writableLength >= 1)
    assert.ok(res.writableLength <= 256 * 1024 + 64 * 1024, `${res.writableLength} bytes are held`)
    const { sent } = source
    await new Promise(setImmediate)
    assert.equal(source.sent, sent)
    socket.resume()
    await eventually('the answer is over', () => closed())
    assert.equal(source.sent, total)
    assert.ok(received() > total)
    assert.equal(res.listenerCount('drain'), 0)
    assert.equal(source.paused, false)
    await listening[Symbol.asyncDispose]()
  })

  it('holds it back at once when the script says X-Accel-Buffering: no', async () => {
    const { source, responses, socket, closed, listening } = await slowly(
      'X-Accel-Buffering: No\n',
      1024 ** 3,
      32 * 1024 * 1024,
    )
    await eventually('the backend is held back', () => source.paused)
    assert.ok((responses[0]?.writableLength ?? 0) <= 64 * 1024)
    socket.resume()
    await eventually('the answer is over', () => closed())
    await listening[Symbol.asyncDispose]()
  })

  it('holds it back when more than the buffer is ahead, not before', async () => {
    const source = new Source()
    const paused: boolean[] = []
    const server = createServer((_req, res) => {
      const rules = { ...RULES, responseBuffer: 256 * 1024 }
      const writer = new ResponseWriter({ method: 'GET', res, rules, source, warn: () => undefined })
      writer.write(Buffer.from('X: 1\n\n'))
      for (let times = 0; times < 3; times += 1) {
        writer.write(Buffer.alloc(128 * 1024))
        writer.flush()
        paused.push(source.paused)
      }
      writer.end()
    })
    await using listening = await listen(server)
    const socket = connectSocket(listening.port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'))
    socket.resume()
    await new Promise((resolve) => socket.on('close', resolve))
    assert.deepEqual(paused, [false, false, true])
  })

  it('lets the backend go on when the answer is not wanted any more', async () => {
    const source = new Source()
    const server = createServer((_req, res) => {
      const writer = new ResponseWriter({
        method: 'GET',
        res,
        rules: { ...RULES, responseBuffer: 0 },
        source,
        warn: () => undefined,
      })
      writer.write(Buffer.from('X: 1\n\n'))
      writer.write(Buffer.alloc(1024 * 1024))
      writer.flush()
      assert.equal(source.paused, true)
      assert.equal(res.listenerCount('drain'), 1)
      writer.discard()
      assert.equal(source.paused, false)
      assert.equal(res.listenerCount('drain'), 0)
      res.destroy()
    })
    await using listening = await listen(server)
    const socket = connectSocket(listening.port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'))
    socket.resume()
    await new Promise((resolve) => socket.on('close', resolve))
    assert.equal(source.pauses, 1)
  })

  it('throws nothing when the client has gone', async () => {
    const source = new Source()
    let done = false
    const server = createServer((_req, res) => {
      const writer = new ResponseWriter({ method: 'GET', res, rules: RULES, source, warn: () => undefined })
      writer.write(Buffer.from('X: 1\n\nhello'))
      writer.flush()
      res.on('close', () => {
        writer.write(Buffer.from('more'))
        writer.flush()
        writer.write(Buffer.from('more'))
        writer.end()
        done = true
      })
    })
    await using listening = await listen(server)
    const socket = connectSocket(listening.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    socket.once('data', () => socket.destroy())
    await eventually('the writer has gone on', () => done)
  })
})

describe('ResponseWriter, over HTTP/2', () => {
  interface Answer {
    readonly headers: Record<string, unknown>
    readonly body: string
    readonly hints: readonly unknown[]
    readonly code: number
  }

  async function ask(texts: readonly string[], method = 'GET'): Promise<Answer> {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    const server = createHttp2Server((_req, res) => {
      const writer = new ResponseWriter({ method, res, rules: RULES, source: new Source(), warn: () => undefined })
      res.setHeader('x-powered-by', 'Express')
      for (const text of texts) {
        writer.write(Buffer.from(text, 'latin1'))
        if (texts.length > 1) writer.flush()
      }
      writer.end()
      assert.equal(writer.reusable, true)
    })
    await using listening = await listen(server)
    const session = connect(`http://127.0.0.1:${listening.port}`)
    const stream = session.request({ ':path': '/', ':method': method })
    const hints: unknown[] = []
    stream.on('headers', (head) => hints.push(head))
    const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      stream.on('response', (head) => resolve({ ...head }))
      stream.on('error', reject)
    })
    let body = ''
    stream.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk
    })
    await new Promise((resolve) => stream.on('close', resolve))
    session.destroy()
    await new Promise(setImmediate)
    process.removeListener('warning', onWarning)
    assert.deepEqual(warnings, [])
    return { headers, body, hints, code: stream.rstCode }
  }

  it('answers whole and in pieces', async () => {
    const head = 'Status: 404 Gone\nX-Odd: 1\nSet-Cookie: a\nSet-Cookie: b\nX-Raw: \xc3\xa9\n\n'
    for (const texts of [[`${head}hello`], [head, 'hel', 'lo'], [head, 'h'.repeat(9_000), 'e'.repeat(9_000)]]) {
      const { headers, body, code } = await ask(texts)
      assert.equal(headers[':status'], 404)
      assert.deepEqual(headers['set-cookie'], ['a', 'b'])
      assert.equal(headers['x-odd'], '1')
      assert.equal(Buffer.from(String(headers['x-raw']), 'latin1').toString('latin1'), '\xc3\xa9')
      assert.equal(headers['x-powered-by'], undefined)
      assert.equal(headers['content-length'], texts.length === 1 ? '5' : undefined)
      assert.equal(body, texts.join('').slice(head.length))
      assert.equal(code, constants.NGHTTP2_NO_ERROR)
    }
  })

  it('sends no header of the connection and nothing that Node refuses to repeat', async () => {
    const hop = 'Connection: close\nKeep-Alive: 1\nTE: gzip\nUpgrade: x\nHTTP2-Settings: x\nProxy-Connection: x\n'
    const twice = ['Content-Encoding', 'Content-Language', 'Age', 'Retry-After', 'Expires', 'Content-Range', 'Date']
    const { headers, body } = await ask([`${hop}${twice.map((name) => `${name}: 1\n${name}: 2\n`).join('')}\nok`])
    assert.equal(body, 'ok')
    assert.equal(headers['content-encoding'], '1, 2')
    assert.equal(headers.age, '1')
    assert.equal(headers.connection, undefined)
  })

  it('sends early hints, and no body with HEAD, 204, 205 and 304', async () => {
    const { hints, body } = await ask(['Status: 103\nLink: </a>; rel=preload\n\nX: 1\n\nok'])
    assert.equal(hints.length, 1)
    assert.equal(body, 'ok')
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 205],
      ['GET', 304],
    ] as const) {
      const answer = await ask([`Status: ${status}\n\n`, 'body', 'more'], method)
      assert.deepEqual([answer.headers[':status'], answer.body, answer.code], [status, '', constants.NGHTTP2_NO_ERROR])
    }
  })
})
