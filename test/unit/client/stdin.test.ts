import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { type StdinListener, StdinSender } from '../../../lib/client/stdin.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { FCGI_STDIN } from '../../../lib/protocol/constants.ts'
import { RecordDecoder } from '../../../lib/protocol/decoder.ts'
import { staysQuiet } from '../../support/quiet-process.ts'

/** Two ends of a unix socket; what comes at the far end is decoded. */
async function startPair(): Promise<{ near: Socket; far: Socket; received: Received; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'fcgi-pair-'))
  const server = createServer().listen(join(directory, 's'))
  await once(server, 'listening')
  const near = connect(join(directory, 's'))
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown]
  near.on('error', () => undefined)
  far.on('error', () => undefined)
  const received = new Received()
  const decoder = new RecordDecoder(received)
  far.on('data', (bytes: Buffer) => decoder.push(bytes))
  return {
    near,
    far,
    received,
    async stop() {
      near.destroy()
      far.destroy()
      server.close()
      await once(server, 'close')
      await rm(directory, { recursive: true })
    },
  }
}

class Received {
  content: Buffer[] = []
  length = 0
  ends = 0
  onStreamContent(type: number, requestId: number, content: Buffer): void {
    assert.deepEqual([type, requestId, this.ends], [FCGI_STDIN, 7, 0])
    this.content.push(Buffer.from(content))
    this.length += content.length
  }
  onStreamEnd(type: number, requestId: number): void {
    assert.deepEqual([type, requestId], [FCGI_STDIN, 7])
    this.ends += 1
  }
  onRecord(): void {
    assert.fail('no other record')
  }
}

/** What a request does: blocked, then resumed by `drain`. */
class Listener implements StdinListener {
  blocked = 0
  written = 0
  error: FastCgiError | null = null
  readonly over: Promise<void>
  #over: () => void = () => undefined
  constructor() {
    this.over = new Promise((resolve) => {
      this.#over = resolve
    })
  }
  stdinBlocked(): void {
    this.blocked += 1
  }
  stdinWritten(): void {
    this.written += 1
    this.#over()
  }
  stdinFailed(error: FastCgiError): void {
    assert.equal(this.error, null)
    this.error = error
    this.#over()
  }
}

function sender(socket: Socket, length: number): { sender: StdinSender; listener: Listener } {
  const listener = new Listener()
  const made = new StdinSender(socket, { requestId: 7, length }, listener)
  socket.on('drain', () => made.resume())
  return { sender: made, listener }
}

const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, at) => at % 251))

describe('StdinSender', { timeout: 60_000 }, () => {
  staysQuiet()

  for (const length of [1, 65_535, 65_536, 131_070, 131_071, 700_001]) {
    it(`sends ${length} bytes at hand and one end`, async () => {
      const pair = await startPair()
      const { sender: stdin, listener } = sender(pair.near, length)
      stdin.sendWhole(bytes(length))
      await listener.over
      pair.near.end()
      await once(pair.far, 'end')
      assert.ok(Buffer.concat(pair.received.content).equals(bytes(length)))
      assert.equal(pair.received.ends, 1)
      assert.equal(listener.written, 1)
      await pair.stop()
    })

    it(`sends ${length} bytes of a source and one end, and lets go of it`, async () => {
      const pair = await startPair()
      const source = Readable.from(
        [bytes(length).subarray(0, 100), bytes(length).subarray(100)].filter((b) => b.length > 0),
      )
      const { sender: stdin, listener } = sender(pair.near, length)
      stdin.sendFrom(source)
      await listener.over
      pair.near.end()
      await once(pair.far, 'end')
      assert.ok(Buffer.concat(pair.received.content).equals(bytes(length)))
      assert.equal(pair.received.ends, 1)
      assert.equal(listener.error, null)
      assert.ok(source.destroyed)
      for (const event of ['data', 'end', 'close']) assert.equal(source.listenerCount(event), 0, event)
      await pair.stop()
    })
  }

  it('moves its source only as the socket takes', async () => {
    const pair = await startPair()
    pair.far.pause()
    const piece = bytes(65_536)
    let given = 0
    const source = new Readable({
      highWaterMark: 65_536,
      read() {
        given += 1
        this.push(given > 16_384 ? null : piece)
      },
    })
    const { sender: stdin, listener } = sender(pair.near, 16_384 * piece.length)
    stdin.sendFrom(source)
    // Until nothing moves any more: the kernel's buffers are full.
    for (let before = -1; before !== given; await wait(50)) before = given
    assert.ok(given < 64, `${given} pieces were read although nobody takes them`)
    assert.ok(pair.near.writableLength <= 3 * piece.length, `${pair.near.writableLength} bytes are queued`)
    assert.ok(source.isPaused())
    const before = given
    pair.far.resume()
    while (given < before + 200) await turn()
    assert.equal(listener.error, null)
    stdin.stop()
    await pair.stop()
  })

  it('hands bytes at hand over in pieces, so that each one taken is a sign of life', async () => {
    const pair = await startPair()
    pair.far.pause()
    const { sender: stdin, listener } = sender(pair.near, 16 * 1024 * 1024)
    stdin.sendWhole(Buffer.alloc(16 * 1024 * 1024))
    await wait(20)
    assert.ok(pair.near.writableLength < 1024 * 1024)
    assert.equal(listener.written, 0)
    let drained = 0
    pair.near.on('drain', () => {
      drained += 1
    })
    pair.far.resume()
    await listener.over
    assert.ok(drained > 16, `${drained}`)
    pair.near.end()
    await once(pair.far, 'end')
    assert.equal(pair.received.length, 16 * 1024 * 1024)
    assert.equal(pair.received.ends, 1)
    await pair.stop()
  })

  it('sends no more of bytes at hand once it is stopped', async () => {
    const pair = await startPair()
    pair.far.pause()
    const { sender: stdin, listener } = sender(pair.near, 8 * 1024 * 1024)
    stdin.sendWhole(Buffer.alloc(8 * 1024 * 1024))
    stdin.stop()
    pair.far.resume()
    await once(pair.near, 'drain')
    await turn()
    assert.equal(pair.near.writableLength, 0)
    pair.near.end()
    await once(pair.far, 'end')
    assert.ok(pair.received.length < 1024 * 1024)
    assert.deepEqual([pair.received.ends, listener.written], [0, 0])
    await pair.stop()
  })

  it('starts a source that someone has paused', async () => {
    const pair = await startPair()
    const source = Readable.from([bytes(10)])
    source.pause()
    const { sender: stdin, listener } = sender(pair.near, 10)
    stdin.sendFrom(source)
    await listener.over
    assert.equal(listener.written, 1)
    await pair.stop()
  })

  it('fails when the source gives less, more, nothing any more, or an error', async () => {
    const pair = await startPair()
    const failing = async (source: Readable): Promise<FastCgiError> => {
      const { sender: stdin, listener } = sender(pair.near, 10)
      stdin.sendFrom(source)
      await listener.over
      await turn()
      assert.equal(listener.written, 0)
      assert.ok(listener.error instanceof FastCgiError)
      return listener.error
    }
    const less = await failing(Readable.from([bytes(4)]))
    assert.equal(less.code, 'ERR_FCGI_BODY_LENGTH')
    assert.match(less.detail, /6 bytes less/)
    assert.match((await failing(Readable.from([bytes(4), bytes(7)]))).detail, /more than the 6 bytes/)
    const closed = new Readable({ read: () => undefined })
    const closing = failing(closed)
    closed.destroy()
    assert.match((await closing).detail, /10 bytes less/)
    assert.match((await failing(closed)).detail, /10 bytes less/, 'closed before')
    const ended = Readable.from([])
    ended.resume()
    await once(ended, 'end')
    assert.match((await failing(ended)).detail, /10 bytes less/, 'ended before')
    const broken = new Readable({ read: () => undefined })
    const breaking = failing(broken)
    const cause = new Error('disk')
    broken.destroy(cause)
    const error = await breaking
    assert.match(error.detail, /an error: disk/)
    assert.equal(error.cause, cause)
    await pair.stop()
  })

  it("passes a source's own FastCgiError on as it is", async () => {
    const pair = await startPair()
    const source = new Readable({ read: () => undefined })
    const { sender: stdin, listener } = sender(pair.near, 10)
    stdin.sendFrom(source)
    const gone = new FastCgiError('ERR_FCGI_CLIENT_GONE')
    source.destroy(gone)
    await listener.over
    assert.equal(listener.error, gone)
    await pair.stop()
  })

  it('lives through an error that the source reports after it was given up', async () => {
    const pair = await startPair()
    const source = new Readable({ read: () => undefined })
    const { sender: stdin, listener } = sender(pair.near, 10)
    stdin.sendFrom(source)
    // The client leaves: its error is on the way when the exchange is cancelled.
    source.destroy(new FastCgiError('ERR_FCGI_CLIENT_GONE'))
    stdin.stop()
    await new Promise<void>((resolve) => source.on('close', resolve))
    assert.equal(listener.error, null)
    await pair.stop()
  })

  it('sends nothing behind the announced end, even if the source goes on', async () => {
    const pair = await startPair()
    const source = new Readable({ read: () => undefined })
    const { sender: stdin, listener } = sender(pair.near, 4)
    stdin.sendFrom(source)
    source.push(bytes(4))
    await listener.over
    source.push(bytes(100))
    await turn()
    pair.near.end()
    await once(pair.far, 'end')
    assert.deepEqual([pair.received.length, pair.received.ends, listener.error], [4, 1, null])
    await pair.stop()
  })
})
