import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { parseAddress } from '../../../lib/client/address.ts'
import { Connection } from '../../../lib/client/connection.ts'
import { encodeClientRequest, type RequestStdin } from '../../../lib/client/encoded-request.ts'
import type { ClientRequest, RequestTimeouts } from '../../../lib/client/request.ts'
import { channels } from '../../../lib/diagnostics.ts'
import { FastCgiError, type FastCgiErrorCode } from '../../../lib/errors.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { type AnswerHooks, RecordedAnswer } from '../../support/recorded-answer.ts'
import { answer, end, type Fake, record, startFake, stderr, stdout } from '../../support/responder.ts'
import { startFull } from '../../support/responder-full.ts'
import { pieces, splitsOf } from '../../support/splits.ts'

const PATIENT: RequestTimeouts = { connectTimeout: 30_000, sendTimeout: 30_000, readTimeout: 30_000 }
const PARAMS = new Map([['REQUEST_METHOD', 'GET']])

/** A connection with what its observer heard. */
function connectionTo(address: string): { connection: Connection; heard: string[] } {
  const heard: string[] = []
  const connection = new Connection(parseAddress(address), {
    connectionWaits: () => heard.push('waits'),
    connectionAnswers: () => heard.push('answers'),
    connectionClosed: () => heard.push('closed'),
  })
  return { connection, heard }
}

interface Sending extends AnswerHooks {
  readonly stdin?: RequestStdin
  readonly timeouts?: Partial<RequestTimeouts>
}

function send(connection: Connection, sending: Sending = {}): { received: RecordedAnswer; request: ClientRequest } {
  const received = new RecordedAnswer(sending)
  const encoded = encodeClientRequest({ params: PARAMS, stdin: sending.stdin ?? null, keepConnection: true })
  const request = connection.send(encoded, { ...PATIENT, ...sending.timeouts }, received)
  assert.deepEqual(received.calls, [], 'nothing is called within send()')
  return { received, request }
}

function streaming(source: Readable, length: number): RequestStdin {
  return { length, content: null, open: () => source }
}

/** Gives for ever, as fast as it is asked. */
function endless(): Readable {
  const piece = Buffer.alloc(65_536)
  return new Readable({
    read() {
      this.push(piece)
    },
  })
}

/** The error of one request that gets these bytes as its answer. */
async function failure(bytes: Buffer, hooks: AnswerHooks = {}): Promise<{ error: FastCgiError; calls: string[] }> {
  const fake = await startFake((request) => request.send(bytes))
  const { connection } = connectionTo(fake.address)
  const { received } = send(connection, hooks)
  const error = await received.over
  assert.equal(connection.state, 'closed')
  assert.ok(error !== null)
  assert.equal(received.calls.filter((call) => call === 'end' || call === 'fail').at(-1), 'fail')
  await fake.until(() => fake.connections.open === 0)
  await fake.stop()
  return { error, calls: received.calls }
}

async function answersOn(fake: Fake, connection: Connection, text: string): Promise<void> {
  const { received } = send(connection)
  assert.equal(await received.over, null)
  assert.equal(received.text, text)
  assert.equal(fake.connections.count, 1)
}

describe('Connection', { timeout: 60_000 }, () => {
  staysQuiet()

  for (const over of ['unix', 'tcp'] as const) {
    it(`opens with its first request and serves many, over ${over}`, async () => {
      const fake = await startFake((request) => request.answer('\r\nbody'), { over })
      const { connection, heard } = connectionTo(fake.address)
      assert.equal(connection.state, 'new')
      for (let count = 1; count <= 30; count += 1) {
        assert.ok(connection.usable)
        const { received, request } = send(connection)
        assert.ok(!connection.usable)
        assert.equal(await received.over, null)
        assert.deepEqual(received.calls, ['stdout', 'end'])
        assert.ok(request.hasEnded && request.wasExchanged)
        assert.ok(connection.clean)
        connection.release()
        assert.equal(connection.state, 'idle')
        assert.equal(connection.requests, count)
      }
      assert.equal(fake.connections.count, 1)
      assert.deepEqual(heard, ['waits', 'answers'])
      connection.close('shutdown')
      connection.close('shutdown')
      assert.deepEqual(heard, ['waits', 'answers', 'closed'])
      await fake.until(() => fake.connections.open === 0)
      await fake.stop()
    })
  }

  it('gives the same answer however it is cut, with a flush after each read that is not the last', async () => {
    const bytes = Buffer.concat([
      stdout('A: b\r\n\r\nbo', { padding: 3 }),
      stderr('oops'),
      answer('dy', { padding: 1 }),
    ])
    for (const { name, pieces: cut } of splitsOf(bytes)) {
      if (!['whole', 'byte by byte', 'cut at 1', 'cut at 20', 'cut at 30'].includes(name)) continue
      const fake = await startFake((request) => request.send(...cut))
      const { connection } = connectionTo(fake.address)
      const { received } = send(connection)
      assert.equal(await received.over, null)
      assert.equal(received.text, 'A: b\r\n\r\nbody', name)
      assert.equal(received.stderrText, 'oops', name)
      assert.equal(received.calls.at(-1), 'end')
      if (name === 'whole') assert.deepEqual(received.calls, ['stdout', 'stderr', 'stdout', 'end'])
      if (name === 'byte by byte') assert.deepEqual(received.calls.slice(0, 3), ['flush', 'flush', 'flush'])
      connection.close('shutdown')
      await fake.stop()
    }
  })

  it('does not keep the process alive while it is idle', async () => {
    const fake = await startFake((request) => request.answer('\r\n'))
    const held = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'PipeWrap').length
    const { connection } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    const busy = held()
    connection.release()
    assert.equal(held(), busy - 1)
    const { received } = send(connection)
    assert.equal(held(), busy)
    await received.over
    connection.close('shutdown')
    await fake.stop()
  })

  it('refuses a transition that its life does not have', async () => {
    const { connection } = connectionTo('/nowhere/s')
    assert.throws(() => connection.release(), /cannot go from new to idle/)
    connection.close('shutdown')
    assert.throws(() => send(connection), /cannot go from closed to opening/)
  })
})

describe('A kept connection', { timeout: 60_000 }, () => {
  staysQuiet()

  const surplus: readonly (readonly [string, readonly Buffer[]])[] = [
    ['a record', [Buffer.concat([answer('\r\n'), stdout('more')])]],
    ['a second END_REQUEST', [Buffer.concat([answer('\r\n'), end()])]],
    ['half a header', [Buffer.concat([answer('\r\n'), Buffer.from([1, 6])])]],
    ['nonsense', [Buffer.concat([answer('\r\n'), Buffer.from('HTTP/1.1 200 OK\r\n')])]],
    ['an empty record', [Buffer.concat([answer('\r\n'), record({ type: 6 })])]],
    ['padding that is still to come', [answer('\r\n', { padding: 200 }).subarray(0, -1)]],
  ]
  for (const [what, bytes] of surplus) {
    it(`is not clean behind ${what} in the same read`, async () => {
      const fake = await startFake((request) => request.send(...bytes))
      const { connection } = connectionTo(fake.address)
      const { received } = send(connection)
      assert.equal(await received.over, null)
      assert.equal(received.text, '\r\n')
      assert.equal(connection.clean, false)
      connection.close('failed')
      await fake.stop()
    })
  }

  it('is clean behind an END_REQUEST whose padding came whole', async () => {
    const fake = await startFake((request) => request.answer('\r\n', { padding: 255 }))
    const { connection } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    assert.ok(connection.clean)
    connection.close('shutdown')
    await fake.stop()
  })

  it('is closed by bytes that no request asked for', async () => {
    const reasons: unknown[] = []
    const listener = (message: unknown): void => {
      reasons.push((message as { reason: string }).reason)
    }
    subscribe(channels.connectionClose.name, listener)
    const fake = await startFake((request) => request.answer('\r\n'))
    const { connection, heard } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    connection.release()
    await fake.requests[0]?.send(stdout('late'))
    await fake.until(() => fake.connections.open === 0)
    assert.equal(connection.state, 'closed')
    assert.ok(!connection.usable)
    assert.equal(heard.at(-1), 'closed')
    assert.deepEqual(reasons, ['unexpected'])
    unsubscribe(channels.connectionClose.name, listener)
    await fake.stop()
  })

  it('is closed by bytes that come between the end of an answer and its release', async () => {
    const fake = await startFake((request) => request.answer('\r\n'))
    const { connection } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    await fake.requests[0]?.send(stdout('late'))
    await fake.until(() => fake.connections.open === 0)
    assert.equal(connection.state, 'closed')
    assert.equal(connection.clean, false)
    await fake.stop()
  })

  it('never takes what comes late for an earlier request as an answer', async () => {
    const fake = await startFake((request) =>
      request.id === 1 ? request.answer('\r\n') : request.send(answer('Late: yes\r\n\r\n', { requestId: 1 })),
    )
    const { connection } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    connection.release()
    const { received } = send(connection)
    assert.equal((await received.over)?.code, 'ERR_FCGI_PROTOCOL')
    assert.equal(received.text, '')
    await fake.stop()
  })

  it('notices that the backend closed it', async () => {
    const fake = await startFake((request) => request.answer('\r\n'))
    const { connection, heard } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    connection.release()
    fake.requests[0]?.connection.close()
    await fake.until(() => fake.connections.open === 0)
    while (connection.state !== 'closed') await turn()
    assert.deepEqual(heard, ['waits', 'answers', 'closed'])
    await fake.stop()
  })

  it('still reads when its receiver held the answer back at the very end', async () => {
    const fake = await startFake((request) => request.answer('\r\nbody'))
    const { connection } = connectionTo(fake.address)
    for (let count = 0; count < 3; count += 1) {
      // A slow client: the last write finds no room, in end() or while what END_REQUEST came with is handed over.
      let request: ClientRequest | null = null
      const hold = (): void => request?.pause()
      const sending = count === 1 ? { onStdout: hold } : { onEnd: hold }
      const sent = send(connection, { ...sending, timeouts: { readTimeout: 5000 } })
      request = sent.request
      assert.equal(await sent.received.over, null)
      connection.release()
    }
    fake.requests[2]?.connection.close()
    while (connection.state !== 'closed') await turn()
    await fake.stop()
  })

  it('fails with RESET, before a byte of the answer, when it was dead already', async () => {
    const fake = await startFake(async (request) => {
      if (request.connection.requests.length === 1) await request.answer('\r\n')
      else request.connection.close()
    })
    const { connection } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    connection.release()
    const { received, request } = send(connection)
    assert.equal((await received.over)?.code, 'ERR_FCGI_RESET')
    assert.deepEqual([request.wasBegun, request.wasAnswered], [true, false])
    await fake.stop()
  })
})

describe('An answer that fails', { timeout: 60_000 }, () => {
  staysQuiet()

  const malformed: readonly (readonly [string, Buffer, FastCgiErrorCode])[] = [
    ['of another version', record({ type: 6, version: 2, content: 'x' }), 'ERR_FCGI_PROTOCOL'],
    ['of HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'ERR_FCGI_PROTOCOL'],
    ['for another request', stdout('x', { requestId: 2 }), 'ERR_FCGI_PROTOCOL'],
    ['that ends another request', end({ requestId: 2 }), 'ERR_FCGI_PROTOCOL'],
    ['of an unknown type', record({ type: 99, content: 'x' }), 'ERR_FCGI_PROTOCOL'],
    ['of type STDIN', record({ type: 5, content: 'x' }), 'ERR_FCGI_PROTOCOL'],
    ['of type STDIN, empty', record({ type: 5 }), 'ERR_FCGI_PROTOCOL'],
    ['of type UNKNOWN_TYPE', record({ type: 11, requestId: 0, content: '\x09\0\0\0\0\0\0\0' }), 'ERR_FCGI_PROTOCOL'],
    ['END_REQUEST that is too short', record({ type: 3, content: '\0\0\0\0' }), 'ERR_FCGI_PROTOCOL'],
    ['END_REQUEST of an unknown status', end({ protocolStatus: 4 }), 'ERR_FCGI_PROTOCOL'],
    ['OVERLOADED', end({ protocolStatus: 2 }), 'ERR_FCGI_OVERLOADED'],
    ['CANT_MPX_CONN', end({ protocolStatus: 1 }), 'ERR_FCGI_OVERLOADED'],
    ['UNKNOWN_ROLE', end({ protocolStatus: 3 }), 'ERR_FCGI_UNKNOWN_ROLE'],
  ]
  for (const [what, bytes, code] of malformed) {
    it(`is ${code} for a record ${what}, at once and behind output`, async () => {
      const { error, calls } = await failure(bytes)
      assert.equal(error.code, code)
      assert.deepEqual(calls, ['fail'])
      // What was served in part cannot be sent again, whatever END_REQUEST says.
      const behind = await failure(Buffer.concat([stdout('\r\nhalf'), bytes]))
      assert.equal(behind.error.code, 'ERR_FCGI_PROTOCOL')
      assert.deepEqual(behind.calls, ['stdout', 'fail'])
    })
  }

  it('may still be OVERLOADED behind something on STDERR', async () => {
    const { error } = await failure(Buffer.concat([stderr('busy'), end({ protocolStatus: 2 })]))
    assert.equal(error.code, 'ERR_FCGI_OVERLOADED')
  })

  for (const over of ['unix', 'tcp'] as const) {
    for (const how of ['close', 'reset', 'halfClose'] as const) {
      it(`is RESET without a byte and TRUNCATED in the middle, on ${how} over ${over}`, async () => {
        const fake = await startFake(
          async (request) => {
            if (request.connection.number > 1) await request.stdout('\r\nhalf')
            if (request.connection.number > 2) await request.send(answer('x').subarray(0, -1))
            // The half that was sent is to be read before the reset takes it away.
            if (request.connection.number > 1) await wait(50)
            request.connection[how]()
          },
          { over },
        )
        for (const code of ['ERR_FCGI_RESET', 'ERR_FCGI_TRUNCATED', 'ERR_FCGI_TRUNCATED']) {
          const { connection, heard } = connectionTo(fake.address)
          const { received } = send(connection)
          assert.equal((await received.over)?.code, code)
          assert.equal(connection.state, 'closed')
          assert.equal(heard.at(-1), 'closed')
          await turn()
          assert.equal(received.calls.filter((call) => call === 'fail').length, 1)
        }
        await fake.stop()
      })
    }
  }

  it('is what its receiver threw, with nothing after it', async () => {
    const bytes = Buffer.concat([stdout('\r\n'), stderr('x'), stdout('y')])
    const thrown = new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail: 'mine' })
    const hook = (): never => {
      throw thrown
    }
    const first = await failure(bytes, { onStdout: hook })
    assert.equal(first.error, thrown)
    assert.deepEqual(first.calls, ['stdout', 'fail'])
    const second = await failure(bytes, { onFlush: hook })
    assert.equal(second.error, thrown)
    assert.deepEqual(second.calls, ['stdout', 'stderr', 'stdout', 'flush', 'fail'])
    const third = await failure(answer('\r\n'), { onEnd: hook })
    assert.equal(third.error, thrown)
    assert.deepEqual(third.calls, ['stdout', 'end', 'fail'])
    const odd = await failure(bytes, {
      onStdout: () => {
        throw new TypeError('odd')
      },
    })
    assert.equal(odd.error.code, 'ERR_FCGI_INTERNAL')
    assert.ok(odd.error.cause instanceof TypeError)
  })

  it('is CONNECT where nothing listens', async () => {
    const { connection, heard } = connectionTo('/nowhere/s')
    const { received, request } = send(connection)
    assert.equal((await received.over)?.code, 'ERR_FCGI_CONNECT')
    assert.equal(request.wasBegun, false)
    assert.deepEqual(heard, ['waits', 'closed'])
  })
})

describe('The body of a request', { timeout: 60_000 }, () => {
  staysQuiet()

  it('arrives whole, short or long, at hand or from a source', async () => {
    const fake = await startFake(async (request) => {
      await request.body()
      await request.answer(`\r\n${request.stdinLength} ${request.stdinHash.slice(0, 8)}`)
    })
    for (const length of [0, 1, 65_535, 65_536, 300_000]) {
      const content = Buffer.alloc(length, 'abc')
      const open = (): Readable => Readable.from(pieces(content, 10_000))
      const texts: string[] = []
      for (const stdin of [
        { length, content, open },
        { length, content: null, open },
      ]) {
        const { connection } = connectionTo(fake.address)
        const { received } = send(connection, { stdin })
        assert.equal(await received.over, null)
        assert.ok(connection.clean)
        texts.push(received.text)
        connection.close('shutdown')
      }
      assert.equal(texts[0], texts[1])
      assert.ok(texts[0]?.startsWith(`\r\n${length} `), texts[0])
    }
    await fake.stop()
  })

  it('may be answered before it is sent: the answer counts, the connection is not clean, the source is let go', async () => {
    const fake = await startFake((request) => request.answer('Status: 413\r\n\r\n'), { discardStdin: true })
    const { connection } = connectionTo(fake.address)
    const source = endless()
    const { received, request } = send(connection, { stdin: streaming(source, 1e12) })
    assert.equal(await received.over, null)
    assert.equal(received.text, 'Status: 413\r\n\r\n')
    assert.equal(request.wasExchanged, false)
    assert.equal(connection.clean, false)
    assert.ok(source.destroyed)
    connection.close('failed')
    await fake.until(() => fake.connections.open === 0)
    await fake.stop()
  })

  for (const over of ['unix', 'tcp'] as const) {
    it(`may be refused by an answer and a close over ${over}, in front of which we are stuck`, async () => {
      const fake = await startFake(
        async (request) => {
          request.connection.pause()
          await wait(50)
          await request.answer('Status: 413\r\n\r\n')
          request.connection.close()
        },
        { over },
      )
      const { connection } = connectionTo(fake.address)
      const { received } = send(connection, { stdin: streaming(endless(), 1e12) })
      assert.equal(await received.over, null)
      assert.equal(received.text, 'Status: 413\r\n\r\n')
      connection.close('failed')
      await fake.stop()
    })
  }

  it('may be answered while its last bytes wait in the socket: the connection is not clean', async () => {
    // More than the kernel takes of what nobody reads, and little enough to be handed to the socket in one piece.
    const length = 260_000
    const fake = await startFake(() => undefined, {
      onConnection: (connection) => {
        connection.pause()
        void connection.send(answer('\r\n'))
      },
    })
    const { connection } = connectionTo(fake.address)
    const { received } = send(connection, { stdin: { length, content: Buffer.alloc(length), open: endless } })
    assert.equal(await received.over, null)
    assert.equal(connection.state, 'busy')
    assert.equal(connection.clean, false)
    connection.close('failed')
    await fake.stop()
  })

  it('that is not as long as announced ends the request by ABORT_REQUEST, never short', async () => {
    const fake = await startFake(() => undefined)
    for (const source of [Readable.from([Buffer.alloc(5)]), Readable.from([Buffer.alloc(11)])]) {
      const { connection } = connectionTo(fake.address)
      const { received } = send(connection, { stdin: streaming(source, 10) })
      assert.equal((await received.over)?.code, 'ERR_FCGI_BODY_LENGTH')
      assert.equal(connection.state, 'closed')
    }
    await fake.until(() => fake.requests.length === 2 && fake.connections.open === 0)
    for (const request of fake.requests) assert.deepEqual([request.aborted, request.stdinEnded], [true, false])
    await fake.stop()
  })

  it('that cannot be opened fails the request, not the caller', async () => {
    const fake = await startFake(async (request) => {
      if (request.connection.requests.length === 1) await request.answer('\r\n')
    })
    const { connection } = connectionTo(fake.address)
    await answersOn(fake, connection, '\r\n')
    connection.release()
    const thrown = new FastCgiError('ERR_FCGI_LOCAL_FILE')
    const open = (): never => {
      throw thrown
    }
    const { received } = send(connection, { stdin: { length: 5, content: null, open } })
    assert.equal(await received.over, thrown)
    await fake.stop()
  })

  it('stops when the request is given up, although its own error is under way', async () => {
    const fake = await startFake(() => undefined, { discardStdin: true })
    const { connection } = connectionTo(fake.address)
    const source = endless()
    const { received } = send(connection, { stdin: streaming(source, 1e12) })
    await fake.request(1)
    source.destroy(new FastCgiError('ERR_FCGI_CLIENT_GONE'))
    connection.abort()
    await fake.until(() => fake.connections.open === 0)
    assert.deepEqual(received.calls, [])
    await fake.stop()
  })
})

describe('A request that is given up', { timeout: 60_000 }, () => {
  staysQuiet()

  it('is aborted at the backend and says no more', async () => {
    const fake = await startFake((request) => request.stdout('\r\nhalf'))
    const { connection, heard } = connectionTo(fake.address)
    let flushed = (): void => undefined
    const half = new Promise<void>((resolve) => {
      flushed = resolve
    })
    const { received } = send(connection, { onFlush: () => flushed() })
    await half
    connection.abort()
    assert.equal(connection.state, 'closed')
    const request = await fake.request(1)
    await request.gone()
    await fake.until(() => fake.connections.open === 0)
    assert.ok(request.aborted)
    assert.deepEqual(received.calls, ['stdout', 'flush'])
    assert.deepEqual(heard, ['waits', 'answers', 'closed'])
    await fake.stop()
  })

  it('says no more when it is given up in the middle of what one read brought', async () => {
    const fake = await startFake((request) => request.send(Buffer.concat([stdout('a'), stderr('b'), answer('c')])))
    const { connection } = connectionTo(fake.address)
    const { received } = send(connection, { onStdout: () => connection.abort() })
    await fake.until(() => fake.connections.count === 1 && fake.connections.open === 0)
    assert.deepEqual(received.calls, ['stdout'])
    await fake.stop()
  })

  it('is silent while its connection was being opened', async () => {
    const full = await startFull({ over: 'unix', reply: answer('\r\n') })
    const { connection, heard } = connectionTo(full.address)
    const { received } = send(connection)
    await wait(10)
    connection.abort()
    full.release()
    await wait(80)
    assert.deepEqual(received.calls, [])
    assert.deepEqual(heard, ['waits', 'closed'])
    await full.stop()
  })
})

describe('The deadlines of a request', { timeout: 60_000 }, () => {
  staysQuiet()

  it('readTimeout ends a silent one, and aborts it at the backend', async () => {
    const fake = await startFake(() => undefined)
    const { connection } = connectionTo(fake.address)
    const { received } = send(connection, { timeouts: { readTimeout: 30 } })
    const error = await received.over
    assert.equal(error?.code, 'ERR_FCGI_READ_TIMEOUT')
    assert.match(error.detail, /30 ms \(readTimeout\)/)
    const request = await fake.request(1)
    await fake.until(() => fake.connections.open === 0)
    assert.ok(request.aborted)
    await fake.stop()
  })

  it('readTimeout counts from the last read', async () => {
    const fake = await startFake(async (request) => {
      await request.stdout('\r\n')
      for (let count = 0; count < 10; count += 1) {
        await wait(100)
        await request.stdout('x')
      }
      await request.end()
    })
    const { connection } = connectionTo(fake.address)
    const { received } = send(connection, { timeouts: { readTimeout: 800 } })
    assert.equal(await received.over, null)
    assert.equal(received.bytes, 12)
    connection.close('shutdown')
    await fake.stop()
  })

  it('readTimeout does not count while the receiver holds the answer back, and counts again after it', async () => {
    const fake = await startFake((request) => request.stdout('\r\nhalf'))
    const { connection } = connectionTo(fake.address)
    let hold = (): void => undefined
    const held = new Promise<void>((resolve) => {
      hold = resolve
    })
    const { received, request } = send(connection, { onFlush: () => hold(), timeouts: { readTimeout: 40 } })
    await held
    request.pause()
    request.pause()
    await wait(120)
    assert.equal(received.error, null)
    request.resume()
    assert.equal((await received.over)?.code, 'ERR_FCGI_READ_TIMEOUT')
    request.pause()
    request.resume()
    await fake.stop()
  })

  it('holding back reaches the backend, and letting go brings all of it', async () => {
    const total = 8 * 1024 * 1024
    let sent = false
    const fake = await startFake(async (request) => {
      for (let at = 0; at < total; at += 65_536) await request.stdout(Buffer.alloc(65_536))
      sent = true
      await request.end()
    })
    const { connection } = connectionTo(fake.address)
    let request: ClientRequest | null = null
    const { received, request: made } = send(connection, { onStdout: () => request?.pause() })
    request = made
    await wait(100)
    assert.equal(sent, false)
    assert.ok(received.bytes < total / 4, `${received.bytes}`)
    request = null
    made.resume()
    assert.equal(await received.over, null)
    assert.equal(received.bytes, total)
    connection.close('shutdown')
    await fake.stop()
  })

  for (const [what, stdin] of [
    ['a source', streaming(endless(), 1e12)],
    ['bytes at hand', { length: 4e7, content: Buffer.alloc(4e7), open: endless }],
  ] as const) {
    it(`sendTimeout ends one whose body, ${what}, nobody reads`, async () => {
      const fake = await startFake((request) => request.connection.pause())
      const { connection } = connectionTo(fake.address)
      const { received } = send(connection, { stdin, timeouts: { sendTimeout: 50, readTimeout: 40 } })
      const error = await received.over
      assert.equal(error?.code, 'ERR_FCGI_SEND_TIMEOUT')
      assert.match(error.detail, /50 ms \(sendTimeout\)/)
      assert.equal(connection.state, 'closed')
      await fake.stop()
    })
  }

  it('sendTimeout counts from the last piece that was taken, for bytes at hand as well', async () => {
    const length = 16 * 1024 * 1024
    const fake = await startFake(
      async (request) => {
        while (!request.stdinEnded) {
          request.connection.pause()
          await wait(60)
          request.connection.resume()
          const before = request.stdinLength
          await request.connection.until(() => request.stdinEnded || request.stdinLength > before + 1024 * 1024)
        }
        await request.answer('\r\nall')
      },
      { discardStdin: true },
    )
    const { connection } = connectionTo(fake.address)
    const stdin = { length, content: Buffer.alloc(length), open: endless }
    const { received } = send(connection, { stdin, timeouts: { sendTimeout: 700 } })
    assert.equal(await received.over, null)
    assert.equal(received.text, '\r\nall')
    assert.ok(connection.clean)
    connection.close('shutdown')
    await fake.stop()
  })

  it('sendTimeout watches over a request without a body too', async () => {
    const full = await startFull({ over: 'unix' })
    full.release()
    const fake = await startFake(() => undefined, { onConnection: (connection) => connection.pause() })
    const { connection } = connectionTo(fake.address)
    const params = new Map(Array.from({ length: 4 }, (_, at) => [`P${at}`, 'x'.repeat(60_000)]))
    const encoded = encodeClientRequest({ params, stdin: null, keepConnection: false })
    const opening = Buffer.concat(Array.from({ length: 40 }, () => encoded.opening))
    const received = new RecordedAnswer()
    connection.send({ opening, stdin: null }, { ...PATIENT, sendTimeout: 50 }, received)
    assert.equal((await received.over)?.code, 'ERR_FCGI_SEND_TIMEOUT')
    await full.stop()
    await fake.stop()
  })

  it('connectTimeout ends one that nobody accepts', async () => {
    const full = await startFull({ over: 'tcp' })
    const { connection } = connectionTo(full.address)
    const { received } = send(connection, { timeouts: { connectTimeout: 50 } })
    assert.equal((await received.over)?.code, 'ERR_FCGI_CONNECT_TIMEOUT')
    await full.stop()
  })
})
