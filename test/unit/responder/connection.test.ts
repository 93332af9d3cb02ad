import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { ResponderConnection } from '../../../lib/responder/connection.ts'
import type { ResponderListener } from '../../../lib/responder/exchange.ts'
import { decodeAll } from '../../support/decoded.ts'
import { rawPairs, rawRecord } from '../../support/raw-fastcgi.ts'

/** The end of a connection that counts the system calls which a socket would make. */
class Wire extends Duplex {
  readonly writes: Buffer[] = []
  /** Holds what is written back until it is called. */
  flush: (() => void) | null = null
  slow = false

  /** As net.Socket has it. */
  destroySoon(): void {
    this.end(() => this.destroy())
  }

  override _read(): void {
    // The test pushes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(chunk)
    done()
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    const write = (): void => {
      this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
      done()
    }
    if (this.slow) this.flush = write
    else write()
  }
}

const empty = Buffer.alloc(0)

function request(id: number, flags = 1): Buffer {
  return Buffer.concat([
    rawRecord(1, Buffer.from([0, 1, flags, 0, 0, 0, 0, 0]), id),
    rawRecord(4, rawPairs({ A: 'b' }), id),
    rawRecord(4, empty, id),
    rawRecord(5, empty, id),
  ])
}

function connected(wire: Wire, listener: ResponderListener): void {
  new ResponderConnection(wire as unknown as Socket, {
    listener,
    multiplexing: true,
    maxRequests: Number.POSITIVE_INFINITY,
    values: new Map(),
    onError: (error) => assert.fail(String(error)),
  })
}

async function writesOf(listener: ResponderListener, ...ids: readonly number[]): Promise<Buffer[]> {
  const wire = new Wire()
  connected(wire, listener)
  wire.push(Buffer.concat(ids.map((id) => request(id))))
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  wire.destroy()
  return wire.writes
}

describe('ResponderConnection', () => {
  for (const [what, listener] of [
    ['end()', (_req, res) => void res.end('A: b\r\n\r\nbody')],
    [
      'writes, STDERR and an end in one turn',
      (_req, res) => {
        res.writeHead(200, { A: 'b' })
        res.stderr.write('log')
        res.write('bo')
        res.end('dy')
      },
    ],
    [
      'an asynchronous handler',
      async (_req, res) => {
        await Promise.resolve()
        res.writeHead(200).end('body')
      },
    ],
  ] as const satisfies readonly (readonly [string, ResponderListener])[]) {
    it(`answers in one write by ${what}`, async () => {
      const writes = await writesOf(listener, 1)
      assert.equal(writes.length, 1)
      assert.equal(decodeAll(writes).events.at(-1)?.type, 3)
    })
  }

  it('answers requests that came together in one write', async () => {
    const writes = await writesOf((_req, res) => void res.end('A: b\r\n\r\nbody'), 1, 2, 3)
    assert.equal(writes.length, 1)
    assert.deepEqual(
      decodeAll(writes)
        .events.filter(({ type }) => type === 3)
        .map(({ requestId }) => requestId),
      [1, 2, 3],
    )
  })

  it('sends the last bytes of an answer although the web server ends its half meanwhile', async () => {
    const wire = new Wire()
    wire.slow = true
    connected(wire, (_req, res) => void res.end('A: b\r\n\r\nbody'))
    wire.push(request(1, 0))
    await new Promise(setImmediate)
    wire.push(null)
    await new Promise(setImmediate)
    assert.equal(wire.destroyed, false)
    wire.flush?.()
    await new Promise(setImmediate)
    assert.equal(decodeAll(wire.writes).events.at(-1)?.type, 3)
    assert.equal(wire.destroyed, true)
  })
})
