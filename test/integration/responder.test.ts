import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { afterEach, describe, it } from 'node:test'
import type { ResponderListener } from '../../lib/responder/exchange.ts'
import { createResponder, type Responder, type ResponderOptions } from '../../lib/responder/responder.ts'
import { socketOptions } from '../support/backend.ts'
import { type Decoded, decodeAll } from '../support/decoded.ts'
import { eventually } from '../support/eventually.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { rawExchange, rawFastCgi, rawPairs, rawRecord } from '../support/raw-fastcgi.ts'
import { pieces } from '../support/splits.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function started(
  listener: ResponderListener,
  options: ResponderOptions & { readonly over?: 'tcp' } = {},
): Promise<{ readonly responder: Responder; readonly address: string }> {
  const { over, ...rest } = options
  const responder = createResponder(listener, rest)
  const directory = privateDirectory('responder')
  cleanUps.push(async () => {
    responder.closeAllConnections()
    await responder.close()
    directory.remove()
  })
  await responder.listen(over === 'tcp' ? { port: 0, host: '127.0.0.1' } : join(directory.path, 's'))
  return { responder, address: responder.address ?? assert.fail('it does not listen') }
}

function begin(requestId = 1, flags = 1, role = 1): Buffer {
  return rawRecord(1, Buffer.from([0, role, flags, 0, 0, 0, 0, 0]), requestId)
}

function params(values: Readonly<Record<string, string>> = { A: 'b' }, requestId = 1): Buffer {
  return Buffer.concat([rawRecord(4, rawPairs(values), requestId), rawRecord(4, Buffer.alloc(0), requestId)])
}

function stdin(body: string, requestId = 1): Buffer {
  const content = body === '' ? [] : [rawRecord(5, Buffer.from(body), requestId)]
  return Buffer.concat([...content, rawRecord(5, Buffer.alloc(0), requestId)])
}

function request(requestId = 1, flags = 1, values: Readonly<Record<string, string>> = { A: 'b' }): Buffer {
  return Buffer.concat([begin(requestId, flags), params(values, requestId), stdin('', requestId)])
}

/** A web server of the test's own: what it received, decoded, and a way to wait for more. */
class WebServer {
  readonly socket: Socket
  #bytes: Buffer[] = []

  constructor(address: string) {
    this.socket = connect(socketOptions(address))
    this.socket.on('error', () => this.socket.destroy())
    this.socket.on('data', (bytes: Buffer) => this.#bytes.push(bytes))
    cleanUps.push(() => this.socket.destroy())
  }

  get events(): Decoded[] {
    return decodeAll(this.#bytes).events
  }

  stdout(requestId = 1): string {
    return String(
      Buffer.concat(this.events.filter((e) => e.type === 6 && e.requestId === requestId).map((e) => e.content)),
    )
  }

  send(...bytes: readonly Buffer[]): this {
    this.socket.write(Buffer.concat(bytes))
    return this
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.socket.destroyed) assert.fail('the connection was closed')
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')])
    }
  }

  /** Content of END_REQUEST in hex. */
  async ended(requestId = 1): Promise<string> {
    const find = (): Decoded | undefined => this.events.find((e) => e.type === 3 && e.requestId === requestId)
    await this.until(() => find() !== undefined)
    return find()?.content.toString('hex') ?? ''
  }

  async closed(): Promise<void> {
    if (!this.socket.destroyed) await once(this.socket, 'close')
  }
}

const hello: ResponderListener = (req, res) => {
  res.stdout.end(`Content-Type: text/plain\r\n\r\nhello ${req.params.get('A')}`)
}

describe('createResponder', () => {
  for (const over of ['unix', 'tcp'] as const) {
    it(`answers over ${over} and closes without FCGI_KEEP_CONN`, async () => {
      const { address } = await started(hello, over === 'tcp' ? { over } : {})
      const answer = await rawFastCgi({ address, params: { A: 'b' } })
      assert.equal(String(answer.stdout), 'Content-Type: text/plain\r\n\r\nhello b')
      assert.equal(answer.appStatus, 0)
      assert.equal(answer.protocolStatus, 0)
    })
  }

  it('answers a small request in one write', async () => {
    const { address } = await started(hello)
    const web = new WebServer(address)
    let reads = 0
    web.socket.on('data', () => {
      reads += 1
    })
    await web.send(request()).ended()
    assert.equal(reads, 1)
  })

  it('takes a request byte by byte', async () => {
    const { address } = await started(async (req, res) => {
      res.stdout.end(`\r\n${await text(req.stdin)}`)
    })
    const web = new WebServer(address)
    for (const piece of pieces(Buffer.concat([begin(), params(), stdin('body')]), 1)) {
      web.send(piece)
      await new Promise(setImmediate)
    }
    await web.ended()
    assert.equal(web.stdout(), '\r\nbody')
  })

  it('keeps the connection with FCGI_KEEP_CONN, and takes the same id again', async () => {
    const { address } = await started(hello)
    const web = new WebServer(address)
    for (let turn = 1; turn <= 3; turn += 1) {
      web.send(request())
      await web.until(() => web.events.filter((e) => e.type === 3).length === turn)
    }
    web.send(request(1, 0))
    await web.closed()
    assert.equal(web.events.filter((e) => e.type === 3).length, 4)
  })

  it('serves several requests on one connection at once', async () => {
    const waiting = new Map<string, () => void>()
    const { address } = await started(async (req, res) => {
      const name = req.params.get('A') ?? ''
      res.stdout.write(`\r\n${name} begun,`)
      await new Promise<void>((resolve) => waiting.set(name, resolve))
      res.end(`${await text(req.stdin)}`)
    })
    const web = new WebServer(address)
    for (const id of [1, 2, 3]) web.send(begin(id), params({ A: `r${id}` }, id))
    await web.until(() => [1, 2, 3].every((id) => web.stdout(id) === `\r\nr${id} begun,`))
    web.send(stdin('three', 3), stdin('one', 1), stdin('two', 2))
    for (const id of [2, 3, 1]) {
      waiting.get(`r${id}`)?.()
      await web.ended(id)
    }
    assert.deepEqual(
      [1, 2, 3].map((id) => web.stdout(id)),
      ['\r\nr1 begun,one', '\r\nr2 begun,two', '\r\nr3 begun,three'],
    )
    assert.deepEqual(
      web.events.filter((e) => e.type === 3).map((e) => e.requestId),
      [2, 3, 1],
    )
  })

  it('refuses a second request at once with CANT_MPX_CONN when multiplexing is off', async () => {
    const { address } = await started(() => undefined, { multiplexing: false })
    const web = new WebServer(address).send(begin(1), params(), request(2))
    assert.equal(await web.ended(2), '0000000001000000')
    assert.equal(
      web.events.some((e) => e.requestId === 1),
      false,
    )
  })

  it('refuses one request too many on a connection with OVERLOADED', async () => {
    const { address } = await started(() => undefined, { maxRequests: 2 })
    const web = new WebServer(address).send(begin(1), begin(2), begin(3))
    assert.equal(await web.ended(3), '0000000002000000')
  })

  for (const role of [2, 3, 99]) {
    it(`refuses role ${role} with UNKNOWN_ROLE and ignores what belongs to it`, async () => {
      let calls = 0
      const { address } = await started(() => {
        calls += 1
      })
      const web = new WebServer(address).send(begin(1, 1, role), params(), stdin('body'))
      assert.equal(await web.ended(), '0000000003000000')
      const closing = new WebServer(address).send(begin(1, 0, role), params(), stdin('body'))
      assert.equal(await closing.ended(), '0000000003000000')
      closing.socket.end()
      await closing.closed()
      assert.equal(calls, 0)
    })
  }

  it('answers GET_VALUES and unknown management records', async () => {
    const { address } = await started(hello, { maxConnections: 7, maxRequests: 5 })
    const names = { FCGI_MAX_CONNS: '', FCGI_MAX_REQS: '', FCGI_MPXS_CONNS: '', OTHER: '' }
    const web = new WebServer(address).send(rawRecord(9, rawPairs(names), 0), rawRecord(77, Buffer.from('?'), 0))
    await web.until(() => web.events.length === 2)
    assert.match(String(web.events[0]?.content), /FCGI_MAX_CONNS7.*FCGI_MAX_REQS5.*FCGI_MPXS_CONNS1$/s)
    assert.equal(web.events[1]?.type, 11)
    assert.equal(web.events[1]?.content[0], 77)
    await web.send(request()).ended()
  })

  it('ends an aborted request and serves the next on the connection', async () => {
    const aborted: boolean[] = []
    const { address } = await started(async (req, res) => {
      if (req.params.get('A') === 'b') return void res.stdout.end('\r\nnext')
      await once(req.signal, 'abort')
      aborted.push(req.aborted)
      res.end('never')
    })
    const web = new WebServer(address).send(begin(), params({ A: 'wait' }))
    web.send(rawRecord(2, Buffer.alloc(0)))
    assert.equal(await web.ended(), '0000000000000000')
    assert.deepEqual(aborted, [true])
    web.send(request(2))
    await web.ended(2)
    assert.equal(web.stdout(1), '')
    assert.equal(web.stdout(2), '\r\nnext')
  })

  it('does not begin a request that was aborted before its parameters were complete', async () => {
    let calls = 0
    const { address } = await started(() => {
      calls += 1
    })
    for (const flags of [0, 1]) {
      const abort = rawRecord(2, Buffer.alloc(0))
      const web = new WebServer(address).send(begin(1, flags), abort, abort, params(), stdin('body'))
      assert.equal(await web.ended(), '0000000000000000')
      if (flags === 0) await web.closed()
      else await web.send(rawRecord(99, Buffer.alloc(0), 0)).until(() => web.events.some((event) => event.type === 11))
      assert.equal(web.events.filter((event) => event.type === 3).length, 1)
    }
    assert.equal(calls, 0)
  })

  it('aborts the requests of a connection that is lost', async () => {
    let begun: () => void = () => undefined
    const seen = new Promise<void>((resolve) => {
      begun = resolve
    })
    let lost: () => void = () => undefined
    const gone = new Promise<void>((resolve) => {
      lost = resolve
    })
    const { address } = await started(async (req, res) => {
      begun()
      await once(req.signal, 'abort')
      res.write('to nobody')
      res.end()
      lost()
    })
    const web = new WebServer(address).send(begin(), params())
    await seen
    web.socket.destroy()
    await gone
  })

  it('ends the request as failed when the application throws, and serves the next', async () => {
    const errors: unknown[] = []
    const { address } = await started(
      (req) => {
        throw new Error(`no ${req.params.get('A')}`)
      },
      { onError: (error) => errors.push(error) },
    )
    const web = new WebServer(address)
    for (const id of [1, 2]) {
      assert.equal(await web.send(request(id)).ended(id), '0000000100000000')
      assert.match(web.stdout(id), /^Status: 500\r\n/)
    }
    assert.match(String(web.events.find((e) => e.type === 7)?.content), /^Error: no b\n/)
    assert.equal(errors.length, 2)
  })

  for (const [what, bytes] of [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a request begun twice', Buffer.concat([begin(), begin()])],
    ['a BEGIN_REQUEST that is too short', rawRecord(1, Buffer.from([0, 1, 1]))],
    [
      'a pair that is cut',
      Buffer.concat([begin(), rawRecord(4, Buffer.from('\x05\x05A')), rawRecord(4, Buffer.alloc(0))]),
    ],
    ['STDIN before the end of PARAMS', Buffer.concat([begin(), rawRecord(5, Buffer.from('x'))])],
    ['PARAMS on request id 0', rawRecord(4, Buffer.from('x'), 0)],
  ] as const) {
    it(`closes a connection that sends ${what}, and no other`, async () => {
      const errors: unknown[] = []
      const { address } = await started(hello, { onError: (error) => errors.push(error) })
      const other = new WebServer(address).send(begin())
      await rawExchange(address, bytes)
      assert.equal((errors[0] as { code?: string }).code, 'ERR_FCGI_PROTOCOL')
      other.send(params(), stdin(''))
      await other.ended()
    })
  }

  it('carries 20 MB of STDIN back as STDOUT, held back by its reader', async () => {
    const { address } = await started((req, res) => pipeline(req.stdin, res.stdout))
    const body = Buffer.alloc(20_000_000, 'some bytes that are no zeros')
    const answer = await rawFastCgi({ address, params: {}, stdin: body })
    const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    assert.equal(hash(answer.stdout), hash(body))
    assert.equal(answer.appStatus, 0)
  })

  it('does not take a body that its application does not read', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { address } = await started(async (req, res) => {
      await gate
      res.stdout.end(String((await buffer(req.stdin)).length))
    })
    const web = new WebServer(address).send(begin(), params())
    const record = rawRecord(5, Buffer.alloc(65_535))
    // The kernel's buffers, ours and Node's together hold far less than 64 MB.
    let sent = 0
    while (sent < 1_000 && web.socket.writableLength < 4_000_000) {
      web.socket.write(record)
      sent += 1
      await new Promise(setImmediate)
    }
    assert.ok(sent < 1_000, 'everything was taken')
    open()
    await web.send(stdin('')).ended()
    assert.equal(web.stdout(), String(sent * 65_535))
  })

  it('gives its whole answer before the body is read, and the body is thrown away', async () => {
    const big = 'x'.repeat(500_000)
    for (const over of ['unix', 'tcp'] as const) {
      const { address } = await started(
        (_req, res) => void res.stdout.end(`\r\n${big}`),
        over === 'tcp' ? { over } : {},
      )
      const answer = await rawFastCgi({ address, params: {}, stdin: Buffer.alloc(3_000_000) })
      assert.equal(answer.stdout.length, big.length + 2)
      assert.equal(answer.appStatus, 0)
    }
  })

  it('takes the next request on a kept connection though nobody read the body of the last', async () => {
    const { address } = await started(hello)
    const web = new WebServer(address).send(begin(1), params())
    await web.ended(1)
    const more = rawRecord(5, Buffer.alloc(65_535), 1)
    web.send(...Array.from({ length: 20 }, () => more), rawRecord(5, Buffer.alloc(0), 1), request(2))
    await web.ended(2)
    // The same, with the body held back before the answer.
    let answerFirst: (() => void) | null = null
    const held = await started((req, res) => {
      if (req.params.get('A') === 'b') res.stdout.end('A: b\r\n\r\n')
      else answerFirst = () => void res.stdout.end('A: b\r\n\r\n')
    })
    const other = new WebServer(held.address).send(
      begin(1),
      params({ A: 'first' }),
      ...Array.from({ length: 20 }, () => more),
    )
    await eventually('the application was called', () => answerFirst !== null)
    other.send(rawRecord(5, Buffer.alloc(0), 1), request(2))
    ;(answerFirst as (() => void) | null)?.()
    await other.ended(1)
    await other.ended(2)
  })

  it('takes a web server that closes its half for one that has left', async () => {
    let gone: (aborted: boolean) => void = () => undefined
    const left = new Promise<boolean>((resolve) => {
      gone = resolve
    })
    const { address } = await started((req, res) => {
      res.once('close', () => gone(req.aborted))
    })
    const web = new WebServer(address).send(request())
    web.socket.end()
    assert.equal(await left, true)
  })

  it('finishes what was begun when it is closed, and takes nothing new', async () => {
    let answer: () => void = () => undefined
    const { address, responder } = await started((_req, res) => {
      answer = () => void res.stdout.end('\r\nlast')
    })
    const idle = new WebServer(address)
    await once(idle.socket, 'connect')
    const busy = new WebServer(address).send(request())
    await once(busy.socket, 'connect')
    await new Promise((resolve) => setTimeout(resolve, 20))
    const closed = responder.close()
    await idle.closed()
    answer()
    await busy.closed()
    assert.equal(busy.stdout(), '\r\nlast')
    await closed
    await assert.rejects(rawExchange(address, request()))
  })

  it('lets only the named web servers in over TCP', async () => {
    const out = await started(hello, { over: 'tcp', webServerAddresses: ['192.0.2.1'] })
    assert.equal(
      (await rawFastCgi({ address: out.address, params: {} }).catch(() => ({ appStatus: null }))).appStatus,
      null,
    )
    const inside = await started(hello, { over: 'tcp', webServerAddresses: ['::ffff:127.0.0.1'] })
    assert.equal((await rawFastCgi({ address: inside.address, params: {} })).appStatus, 0)
  })

  it('rejects when it cannot listen', async () => {
    const { address } = await started(hello)
    await assert.rejects(createResponder(hello).listen(address), { code: 'EADDRINUSE' })
  })
})
