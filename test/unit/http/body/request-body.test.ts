import assert from 'node:assert/strict'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import type { Readable } from 'node:stream'
import { after, describe, it } from 'node:test'
import { FastCgiError } from '../../../../lib/errors.ts'
import { type BodyRules, type RequestBody, receiveBody } from '../../../../lib/http/body/request-body.ts'
import { LeavingClient, STAYING } from '../../../support/awaited-client.ts'
import { eventually } from '../../../support/eventually.ts'
import { ask } from '../../../support/http-client.ts'
import { listen } from '../../../support/listen.ts'

const RULES: BodyRules = { requestBuffering: 'auto', bodyLimit: 1024 ** 3, clientTimeout: 0 }

async function readAll(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** What a request body turned out to be. */
interface Received {
  readonly none?: true
  readonly code?: string
  readonly detail?: string
  readonly sync?: boolean
  readonly length?: number
  readonly memory?: boolean
  readonly repeatable?: boolean
  readonly bytes?: string
}

async function receive(req: IncomingMessage, res: ServerResponse, rules: Partial<BodyRules> = {}): Promise<Received> {
  try {
    const given = receiveBody(req, res, { ...RULES, ...rules }, STAYING)
    const body = await given
    if (body === null) return { none: true, sync: given === null }
    const bytes = body.content ?? (await readAll(body.open()))
    assert.equal(bytes.length, body.length)
    if (body.content === null && body.repeatable) assert.deepEqual(await readAll(body.open()), bytes)
    body.close()
    const { length, repeatable } = body
    return { sync: given === body, length, memory: body.content !== null, repeatable, bytes: bytes.toString('latin1') }
  } catch (error) {
    assert.ok(error instanceof FastCgiError, String(error))
    return { code: error.code, detail: error.detail }
  }
}

/** A raw client: what it is told to send, and all that it gets. */
class Client {
  readonly socket: Socket
  wire = ''
  closed = false

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('data', (chunk) => {
      this.wire += chunk.toString('latin1')
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.closed = true
    })
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  async sees(what: RegExp): Promise<void> {
    await eventually(`the client sees ${what}, not ${JSON.stringify(this.wire)}`, () => what.test(this.wire))
  }
}

/** Sends raw pieces, one after the other, to a server that receives one body. */
async function raw(pieces: readonly string[], rules: Partial<BodyRules> = {}): Promise<Received> {
  let received: Received | null = null
  const server = createServer(async (req, res) => {
    received = await receive(req, res, rules)
    res.end('done')
  })
  await using listening = await listen(server)
  const client = new Client(listening.port)
  for (const piece of pieces) {
    client.send(piece)
    await new Promise(setImmediate)
  }
  await eventually('the body was received', () => received !== null)
  client.socket.destroy()
  return received ?? {}
}

function post(headers: string): string {
  return `POST / HTTP/1.1\r\nHost: a.test\r\n${headers}\r\n`
}

function chunked(...chunks: readonly string[]): string {
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
}

/** Deleted files of ours that this process holds open. */
function spoolsHeld(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.includes('express-fastcgi-') ? [target] : []
    } catch {
      return []
    }
  })
}

/** Node closes a file that was forgotten, and warns. */
const warnings: Error[] = []
process.on('warning', (warning) => warnings.push(warning))
after(() => assert.deepEqual(warnings, []))

const onLinux = existsSync('/proc/self/fd')

describe('receiveBody, known length', () => {
  it('answers null at once where there is no body', async () => {
    assert.deepEqual(await raw(['GET / HTTP/1.1\r\nHost: a\r\n\r\n']), { none: true, sync: true })
    assert.deepEqual(await raw([post('')]), { none: true, sync: true })
  })

  it('has an empty body where the client announced one', async () => {
    const received = await raw([post('Content-Length: 0\r\n')])
    assert.deepEqual(received, { sync: true, length: 0, memory: true, repeatable: true, bytes: '' })
  })

  it('gathers up to 64 KiB', async () => {
    const content = 'x'.repeat(64 * 1024 - 1)
    const received = await raw([post('Content-Length: 65536\r\n'), content, 'y'])
    assert.deepEqual(received, { sync: false, length: 65_536, memory: true, repeatable: true, bytes: `${content}y` })
  })

  it('streams what is longer, without waiting for it', async () => {
    const content = 'x'.repeat(64 * 1024)
    const received = await raw([post('Content-Length: 65537\r\n'), content, 'y'])
    assert.deepEqual(received, { sync: true, length: 65_537, memory: false, repeatable: false, bytes: `${content}y` })
  })

  it('streams everything when buffering is off', async () => {
    const received = await raw([post('Content-Length: 5\r\n'), 'he', 'llo'], { requestBuffering: 'off' })
    assert.deepEqual(received, { sync: true, length: 5, memory: false, repeatable: false, bytes: 'hello' })
  })

  it('gathers everything when buffering is on, above 1 MiB in a file', async () => {
    for (const [length, memory] of [
      [1024 * 1024, true],
      [1024 * 1024 + 1, false],
    ] as const) {
      const content = 'x'.repeat(length)
      const received = await raw([post(`Content-Length: ${length}\r\n`), content], { requestBuffering: 'on' })
      assert.deepEqual(received, { sync: false, length, memory, repeatable: true, bytes: content })
    }
  })

  it('refuses a body over the limit before it is read', async () => {
    assert.equal((await raw([post('Content-Length: 11\r\n')], { bodyLimit: 10 })).code, 'ERR_FCGI_BODY_LIMIT')
    assert.equal((await raw([post('Content-Length: 10\r\n'), '0123456789'], { bodyLimit: 10 })).length, 10)
  })
})

describe('receiveBody, unknown length', () => {
  it('gathers it and then knows its length', async () => {
    const received = await raw([post('Transfer-Encoding: Chunked\r\n'), chunked('hel', 'lo')])
    assert.deepEqual(received, { sync: false, length: 5, memory: true, repeatable: true, bytes: 'hello' })
    assert.equal((await raw([post('Transfer-Encoding: chunked\r\n'), chunked()])).length, 0)
  })

  it('keeps more than 1 MiB in a file that has no name and goes away', {
    skip: !onLinux && 'needs /proc',
  }, async () => {
    const content = Array.from({ length: 33 }, (_, index) => String.fromCharCode(index + 40).repeat(64 * 1024))
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('express-fastcgi-'))
    let body: RequestBody | null = null
    const server = createServer(async (req, res) => {
      body = await receiveBody(req, res, RULES, STAYING)
      res.end()
    })
    await using listening = await listen(server)
    await ask(`http://127.0.0.1:${listening.port}/`, { method: 'POST', body: content.map((each) => Buffer.from(each)) })
    const kept = body as RequestBody | null
    assert.ok(kept !== null && kept.content === null)
    assert.equal(kept.length, 33 * 64 * 1024)
    assert.equal(spoolsHeld().length, 1)
    assert.deepEqual(
      readdirSync(tmpdir()).filter((name) => name.startsWith('express-fastcgi-')),
      before,
    )
    const [first, second] = await Promise.all([readAll(kept.open()), readAll(kept.open())])
    assert.equal(first.toString('latin1'), content.join(''))
    assert.deepEqual(second, first)
    const unread = kept.open()
    unread.read(0)
    kept.close()
    await eventually('the file is closed', () => spoolsHeld().length === 0)
  })

  it('counts, and refuses a body that passes the limit', async () => {
    const received = await raw([post('Transfer-Encoding: chunked\r\n'), chunked('01234', '56789', 'a')], {
      bodyLimit: 10,
    })
    assert.equal(received.code, 'ERR_FCGI_BODY_LIMIT')
    const long = await raw([post('Transfer-Encoding: chunked\r\n'), chunked('x'.repeat(3_000_000))], {
      bodyLimit: 2_000_000,
    })
    assert.equal(long.code, 'ERR_FCGI_BODY_LIMIT')
    if (onLinux) await eventually('the file is closed', () => spoolsHeld().length === 0)
  })

  it('asks for a length when buffering is off', async () => {
    const received = await raw([post('Transfer-Encoding: chunked\r\n'), chunked('a')], { requestBuffering: 'off' })
    assert.equal(received.code, 'ERR_FCGI_LENGTH_REQUIRED')
  })

  it('refuses transfer codings other than chunked', async () => {
    const received = await raw([post('Transfer-Encoding: gzip, chunked\r\n'), chunked('a')])
    assert.equal(received.code, 'ERR_FCGI_TRANSFER_CODING')
  })
})

describe('receiveBody, a client that leaves', () => {
  async function leave(headers: string, sent: string, rules: Partial<BodyRules> = {}): Promise<Received> {
    let received: Received | null = null
    const server = createServer(async (req, res) => {
      received = await receive(req, res, rules)
    })
    await using listening = await listen(server)
    const client = new Client(listening.port)
    client.send(post(headers))
    client.send(sent)
    setImmediate(() => client.socket.end())
    await eventually('the body was given up', () => received !== null)
    return received ?? {}
  }

  it('is noticed, whatever way the body goes', async () => {
    const ways: readonly (readonly [string, string, Partial<BodyRules>])[] = [
      ['Content-Length: 5\r\n', 'hel', {}],
      ['Content-Length: 5\r\n', 'hel', { requestBuffering: 'off' }],
      ['Content-Length: 100000\r\n', 'x'.repeat(70_000), {}],
      ['Transfer-Encoding: chunked\r\n', '3\r\nhel\r\n', {}],
      ['Transfer-Encoding: chunked\r\n', `200000\r\n${'x'.repeat(0x150000)}`, {}],
    ]
    for (const [headers, sent, rules] of ways) {
      assert.equal((await leave(headers, sent, rules)).code, 'ERR_FCGI_CLIENT_GONE', headers)
    }
    if (onLinux) await eventually('no file is left', () => spoolsHeld().length === 0)
  })

  it('ends no process when nobody reads the body any more', async () => {
    let left = false
    const server = createServer((req, res) => {
      const body = receiveBody(req, res, RULES, STAYING) as RequestBody
      const source = body.open()
      source.once('data', () => source.pause())
      req.once('close', () => {
        body.close()
        left = true
      })
    })
    await using listening = await listen(server)
    const client = new Client(listening.port)
    client.send(post('Content-Length: 100000\r\n'))
    client.send('x'.repeat(1000))
    await new Promise((resolve) => setTimeout(resolve, 20))
    client.socket.destroy()
    await eventually('the request is over', () => left)
    await new Promise(setImmediate)
  })

  it('is waited for no longer than its client stays', async () => {
    const reason = new FastCgiError('ERR_FCGI_TIMEOUT')
    const results: unknown[] = []
    const server = createServer(async (req, res) => {
      const leaving = new LeavingClient()
      setImmediate(() => leaving.leave(reason))
      for (let times = 0; times < 2; times += 1) {
        try {
          await receiveBody(req, res, RULES, leaving)
        } catch (error) {
          results.push(error)
        }
      }
    })
    await using listening = await listen(server)
    const client = new Client(listening.port)
    client.send(post('Content-Length: 5\r\n'))
    await eventually('both have given up', () => results.length === 2)
    assert.deepEqual(results, [reason, reason])
    client.socket.destroy()
  })
})

describe('receiveBody, Expect', () => {
  /** A host that decides itself about `Expect`, and answers what it received. */
  async function expecting(rules: Partial<BodyRules>, use: (client: Client) => Promise<void>): Promise<void> {
    const listener: RequestListener = async (req, res) => {
      const { code, bytes } = await receive(req, res, rules)
      res.end(`got ${code ?? bytes}.`)
    }
    const server = createServer(listener).on('checkContinue', listener).on('checkExpectation', listener)
    await using listening = await listen(server)
    const client = new Client(listening.port)
    await use(client)
    client.socket.destroy()
  }

  it('is answered when the body is going to be read', async () => {
    for (const requestBuffering of ['auto', 'off'] as const) {
      await expecting({ requestBuffering }, async (client) => {
        client.send(post('Expect: 100-continue\r\nContent-Length: 5\r\n'))
        await client.sees(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
        client.send('hello')
        await client.sees(/got hello\./)
        assert.equal(client.wire.match(/100 Continue/g)?.length, 1)
      })
    }
  })

  it('is answered once where Node has done so', async () => {
    const server = createServer(async (req, res) => void res.end((await receive(req, res)).bytes))
    await using listening = await listen(server)
    const client = new Client(listening.port)
    client.send(post('Expect: 100-continue\r\nContent-Length: 5\r\n'))
    await client.sees(/100 Continue/)
    client.send('hello')
    await client.sees(/hello$/)
    assert.equal(client.wire.match(/100 Continue/g)?.length, 1)
    client.socket.destroy()
  })

  it('is not answered where the body is refused', async () => {
    await expecting({ bodyLimit: 4 }, async (client) => {
      client.send(post('Expect: 100-continue\r\nContent-Length: 5\r\n'))
      await client.sees(/got ERR_FCGI_BODY_LIMIT\./)
      assert.doesNotMatch(client.wire, /100 Continue/)
    })
  })

  it('is refused where it expects something else', async () => {
    await expecting({}, async (client) => {
      client.send(post('Expect: tea\r\nContent-Length: 5\r\n'))
      await client.sees(/got ERR_FCGI_EXPECTATION\./)
    })
  })
})

describe('receiveBody, a body that nobody wants', () => {
  it('is drained, so that the connection serves the next request', async () => {
    for (const open of [false, true]) {
      const server = createServer(async (req, res) => {
        const body = await receiveBody(req, res, RULES, STAYING)
        if (open) body?.open().once('data', () => undefined)
        body?.close()
        res.end(`answer to ${req.method}.`)
      })
      await using listening = await listen(server)
      const client = new Client(listening.port)
      client.send(post('Content-Length: 1000000\r\n'))
      await client.sees(/answer to POST/)
      client.send(`${'x'.repeat(1_000_000)}GET / HTTP/1.1\r\nHost: a\r\n\r\n`)
      await client.sees(/answer to GET/)
      client.socket.destroy()
    }
  })

  it('ends the connection after the answer when there is too much of it', async () => {
    let bytesRead = (): number => 0
    const server = createServer((req, res) => {
      const { socket } = req
      bytesRead = () => socket.bytesRead
      const body = receiveBody(req, res, RULES, STAYING) as RequestBody
      body.close()
      res.end('the answer.')
    })
    await using listening = await listen(server)
    const client = new Client(listening.port)
    client.send(post(`Content-Length: ${1024 ** 3}\r\n`))
    await client.sees(/the answer\./)
    const piece = Buffer.alloc(1024 * 1024)
    for (let sent = 0; sent < 64 && !client.closed; sent += 1) {
      client.socket.write(piece)
      await new Promise(setImmediate)
    }
    await eventually('the connection is closed', () => client.closed)
    assert.ok(bytesRead() < 48 * piece.length, `${bytesRead()} bytes were read`)
  })

  it('may be destroyed by its reader without the answer or the next request', async () => {
    const server = createServer((req, res) => {
      const body = receiveBody(req, res, RULES, STAYING) as RequestBody | null
      if (body === null) return void res.end('the next answer.')
      const source = body.open()
      source.once('data', () => {
        source.destroy()
        body.close()
        res.end('the answer.')
      })
    })
    await using listening = await listen(server)
    const client = new Client(listening.port)
    client.send(post('Content-Length: 200000\r\n'))
    client.send('x'.repeat(50_000))
    await client.sees(/the answer\./)
    client.send('x'.repeat(150_000))
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.sees(/the next answer\./)
    client.socket.destroy()
  })
})

/** A frame of HTTP/2 (RFC 9113 section 4.1), for clients that do what Node's does not. */
function frame(type: number, flags: number, stream: number, payload: string = ''): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, Buffer.from(payload, 'latin1')])
}

const RST_CANCEL = frame(3, 0, 1, '\0\0\0\x08')
const RST_NO_ERROR = frame(3, 0, 1, '\0\0\0\0')

/** Sends three bytes of a body with these further header fields (HPACK), then an end, or goes away. */
async function cancelled(fields: string, ending: Buffer | null): Promise<Received> {
  let received: Received | null = null
  const server = createHttp2Server(async (req, res) => {
    received = await receive(req as unknown as IncomingMessage, res as unknown as ServerResponse)
  })
  await using listening = await listen(server)
  const client = new Client(listening.port)
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  client.socket.write(frame(4, 0, 0))
  client.socket.write(frame(1, 4, 1, `\x83\x86\x84\x41\x01a${fields}`))
  client.socket.write(frame(0, 0, 1, 'hel'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  if (ending === null) client.socket.destroy()
  else client.socket.write(ending)
  await eventually('the body was given up', () => received !== null)
  client.socket.destroy()
  return received ?? {}
}

describe('receiveBody, over HTTP/2', () => {
  async function ask2(
    headers: Record<string, string>,
    send: (stream: ReturnType<ReturnType<typeof connectHttp2>['request']>) => void,
    rules: Partial<BodyRules> = {},
  ): Promise<Received> {
    let received: Received | null = null
    const server = createHttp2Server(async (req, res) => {
      received = await receive(req as unknown as IncomingMessage, res as unknown as ServerResponse, rules)
      res.end()
    })
    await using listening = await listen(server)
    const session = connectHttp2(`http://127.0.0.1:${listening.port}`)
    const stream = session.request({ ':path': '/', ...headers }, { endStream: false })
    stream.on('error', () => undefined)
    send(stream)
    await eventually('the body was received', () => received !== null)
    session.destroy()
    return received ?? {}
  }

  it('knows requests without a body', async () => {
    let received: Received | null = null
    const server = createHttp2Server(async (req, res) => {
      received = await receive(req as unknown as IncomingMessage, res as unknown as ServerResponse)
      res.end()
    })
    await using listening = await listen(server)
    const session = connectHttp2(`http://127.0.0.1:${listening.port}`)
    session.request({ ':path': '/' }).resume()
    await eventually('the request came', () => received !== null)
    session.destroy()
    assert.deepEqual(received, { none: true, sync: true })
  })

  it('gathers a body without a length, streams a long one with it', async () => {
    const body = 'x'.repeat(100_000)
    const unknown = await ask2({ ':method': 'POST' }, (stream) => stream.end(body))
    assert.deepEqual([unknown.length, unknown.memory, unknown.bytes], [100_000, true, body])
    const known = await ask2({ ':method': 'POST', 'content-length': '100000' }, (stream) => stream.end(body))
    assert.deepEqual([known.length, known.memory, known.bytes], [100_000, false, body])
    assert.equal((await ask2({ ':method': 'POST' }, (stream) => stream.end())).length, 0)
  })

  it('notices a client that cancels or vanishes, also behind bytes', async () => {
    // Content-Length as HPACK has it: name 28 of the static table, then the length of the value.
    for (const length of ['', '\x0f\x0d\x016', '\x0f\x0d\x06100000']) {
      for (const ending of [RST_CANCEL, RST_NO_ERROR, null]) {
        const received = await cancelled(length, ending)
        assert.equal(received.code, 'ERR_FCGI_CLIENT_GONE', JSON.stringify([length, ending]))
      }
    }
  })

  it('answers Expect once', async () => {
    let continues = 0
    const received = await ask2({ ':method': 'POST', expect: '100-continue', 'content-length': '2' }, (stream) => {
      stream.on('continue', () => {
        continues += 1
        stream.end('ok')
      })
    })
    assert.equal(received.bytes, 'ok')
    assert.equal(continues, 1)
  })
})
