import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { FastCgiError, OptionError, request, type SingleRequest } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { rawRecord } from '../support/raw-fastcgi.ts'

const BEGIN_REQUEST = rawRecord(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]))
const END_REQUEST = rawRecord(3, Buffer.alloc(8))

/** Keeps what is written to it, and takes more only when told to where it is `slow`. */
class Sink extends Writable {
  text = ''
  #release: (() => void) | null = null
  readonly #slow: boolean

  constructor(slow = false) {
    super({ highWaterMark: 1 })
    this.#slow = slow
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('latin1')
    if (this.#slow) this.#release = done
    else done()
  }

  release(): void {
    const release = this.#release
    this.#release = null
    release?.()
  }
}

describe('request()', () => {
  let directory: PrivateDirectory
  let server: Server
  let address: string
  let answer: (socket: Socket, received: () => Buffer) => void

  before(async () => {
    directory = privateDirectory('single')
    address = join(directory.path, 'application.sock')
    server = createServer((socket) => {
      let received = Buffer.alloc(0)
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => {
        received = Buffer.concat([received, bytes])
        answer(socket, () => received)
      })
    })
    await once(server.listen(address), 'listening')
  })
  after(() => {
    server.close()
    directory.remove()
  })

  function send(more: Partial<SingleRequest> = {}): Promise<number> {
    return request(address, { params: {}, timeout: 20_000, stdout: new Sink(), stderr: new Sink(), ...more })
  }

  it('sends the parameters in UTF-8 and a body with its own length, and closes the connection', async () => {
    const expected = Buffer.concat([
      BEGIN_REQUEST,
      rawRecord(4, shortPairs({ NAME: 'Zoë', CONTENT_LENGTH: '4' })),
      rawRecord(4, Buffer.alloc(0)),
      rawRecord(5, Buffer.from('body')),
      rawRecord(5, Buffer.alloc(0)),
    ])
    let closed = false
    answer = (socket, received) => {
      socket.once('close', () => {
        closed = true
      })
      if (received().length < expected.length) return
      assert.deepEqual(received(), expected)
      socket.write(END_REQUEST)
    }
    assert.equal(await send({ params: { CONTENT_LENGTH: '99', NAME: 'Zoë' }, body: Buffer.from('body') }), 0)
    await eventually('the connection is closed', () => closed)
  })

  it('sends no CONTENT_LENGTH without a body, which the application would wait for', async () => {
    answer = (socket, received) => {
      assert.ok(!received().includes('CONTENT_LENGTH'))
      socket.write(END_REQUEST)
    }
    assert.equal(await send({ params: { CONTENT_LENGTH: '99' } }), 0)
  })

  it('hands both streams over and gives the exit status as the signed number that it is', async () => {
    const [stdout, stderr] = [new Sink(), new Sink()]
    answer = (socket) => {
      const end = rawRecord(3, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]))
      socket.write(Buffer.concat([rawRecord(7, Buffer.from('oops')), rawRecord(6, Buffer.from('no head')), end]))
    }
    assert.equal(await send({ stdout, stderr }), -1)
    assert.deepEqual([stdout.text, stderr.text], ['no head', 'oops'])
  })

  it('reads no faster than its streams take', async () => {
    const stdout = new Sink(true)
    const record = rawRecord(6, Buffer.alloc(60_000, 'x'))
    answer = (socket) => {
      for (let count = 0; count < 200; count++) socket.write(record)
      socket.write(END_REQUEST)
    }
    let [done, most] = [false, 0]
    const status = send({ stdout }).finally(() => {
      done = true
    })
    while (!done) {
      most = Math.max(most, stdout.writableLength)
      stdout.release()
      await new Promise(setImmediate)
    }
    assert.equal(await status, 0)
    assert.ok(most > 0 && most < 1_000_000, `${most} bytes were waiting`)
  })

  it('gives up in time, and then closes', async () => {
    let closed = false
    answer = (socket) => {
      socket.once('close', () => {
        closed = true
      })
    }
    await assert.rejects(send({ timeout: 50 }), { code: 'ERR_FCGI_TIMEOUT' })
    await eventually('the connection is closed', () => closed)
  })

  it('fails when the application closes, and when there is none', async () => {
    answer = (socket) => void socket.destroy()
    await assert.rejects(send(), (error) => error instanceof FastCgiError && error.code === 'ERR_FCGI_RESET')
    const nowhere = request(join(directory.path, 'none'), { params: {}, stdout: new Sink(), stderr: new Sink() })
    await assert.rejects(nowhere, { code: 'ERR_FCGI_CONNECT' })
  })

  it('refuses an address that is none', async () => {
    await assert.rejects(request('nowhere', { params: {}, stdout: new Sink(), stderr: new Sink() }), OptionError)
  })
})

/** Pairs with lengths of one byte (FastCGI specification section 3.4). */
function shortPairs(params: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(params).map(([name, value]) => {
    return Buffer.concat([Buffer.from([name.length, Buffer.byteLength(value)]), Buffer.from(name + value)])
  })
  return Buffer.concat(pairs)
}
