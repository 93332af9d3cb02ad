import assert from 'node:assert/strict'
import type { EventEmitter } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fastcgi } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { phpRoot } from '../support/gateway.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { ask } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { type FakeScript, startFake } from '../support/responder.ts'

// Clients that leave at any moment of their request. A moment is drawn, not measured; what must be so afterwards is always the same.

/** Mulberry32: the same clients for the same seed, which a failure names. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function post(length: number, sent: number): Buffer {
  const head = `POST /body.php HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ${length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.alloc(sent, 'b')])
}

const get = (path: string): Buffer => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)

/** What a client may be about: all that it sends. */
const ERRANDS: readonly Buffer[] = [
  get('/process.php'),
  get('/sleep.php?ms=30'),
  get('/download.php?bytes=30000000'),
  get('/download.php?bytes=3000000&length=1'),
  get('/flush.php'),
  Buffer.concat([get('/sleep.php?ms=20'), get('/download.php?bytes=9000000'), get('/process.php')]),
  post(50_000, 50_000),
  post(50_000, 49_999),
  post(3_000_000, 3_000_000),
  post(3_000_000, 1_000_000),
  Buffer.from(`POST /body.php HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
  Buffer.from('GET /process.php HTTP/1.1\r\nHo'),
]

/** One client: sends, in pieces, up to some byte; reads up to some byte; waits a little; leaves in one way or the other. */
async function comeAndGo(port: number, draw: (below: number) => number): Promise<void> {
  const bytes = ERRANDS[draw(ERRANDS.length)] ?? Buffer.alloc(0)
  const sends = draw(3) === 0 ? draw(bytes.length + 1) : bytes.length
  const reads = [0, 1, 1000, 100_000, 5_000_000][draw(5)] ?? 0
  const [patience, way] = [draw(40), draw(3)]
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
  socket.write(bytes.subarray(0, sends))
  if (reads === 0) socket.pause()
  else await Promise.race([received(socket, reads), wait(patience * 5)])
  await wait(patience)
  if (way === 0) socket.resetAndDestroy()
  else if (way === 1) socket.destroy()
  else socket.end(() => socket.destroy())
}

async function received(socket: Socket, length: number): Promise<void> {
  let missing = length
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.on('data', (piece) => {
      missing -= piece.length
      if (missing <= 0) resolve()
    })
  })
}

/** So many clients, twenty-five at a time. */
async function crowd(port: number, count: number, seed: number): Promise<void> {
  const draw = random(seed)
  let left = count
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await comeAndGo(port, draw)
    }
  }
  await Promise.all(Array.from({ length: 25 }, one))
}

/** Sockets and files that a process has open. */
function descriptors(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)]
    } catch {
      // Closed since.
      return []
    }
  })
}

const SEED = 20_261

backend('php-fpm').describe('500 clients that leave at random moments', () => {
  let fpm: PhpFpm

  before(async () => {
    fpm = await startPhpFpm({ children: 4 })
  })
  after(() => fpm?.stop())

  for (const keepAlive of [false, true]) {
    it(`leave no connection, no busy child and no growth, keepAlive ${keepAlive ? 'on' : 'off'}`, async () => {
      const server = { address: fpm.address, maxConnections: 16, idleTimeout: 200 }
      const gateway: GatewayProcess = await startGatewayProcess({ root: phpRoot, server, keepAlive, logger: false })
      const settled = async (): Promise<void> => {
        await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
        await eventually('no request waits for a child', async () => (await fpm.status()).listenQueue === 0)
      }
      try {
        assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
        await settled()
        const quiet = descriptors(gateway.pid).length
        await crowd(gateway.port, 500, SEED)
        await settled()
        const before = await gateway.memory()
        await crowd(gateway.port, 500, SEED + 1)
        await settled()
        await eventually(`no descriptor is left, seed ${SEED}`, () => descriptors(gateway.pid).length <= quiet)
        const after = await gateway.memory()
        const growth = after.now - before.now
        assert.ok(growth < 30 * 1024 * 1024, `500 clients more and ${growth} bytes more, seed ${SEED}`)
        for (let turn = 0; turn < 8; turn += 1) assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
      } finally {
        await gateway.stop()
      }
    })
  }
})

/** Listeners of every event, but those for errors that may be told late. */
function listeners(emitter: EventEmitter): Record<string, number> {
  const names = emitter.eventNames().filter((name) => name !== 'error')
  return Object.fromEntries(names.map((name) => [String(name), emitter.listenerCount(name)]))
}

describe('A client that leaves', { timeout: 60_000 }, () => {
  /** Answers some, holds some, sends to some without end. */
  const moody: FakeScript = async (request) => {
    const number = Number(request.params.get('REQUEST_URI')?.slice(1))
    if (number % 3 === 0) return
    await request.stdout('A: b\r\n\r\n')
    while (number % 3 === 2 && !request.connection.closed) {
      await request.stdout('x'.repeat(10_000))
      await new Promise(setImmediate)
    }
  }

  it('leaves no listener on its request, its answer and its connection', async () => {
    const fake = await startFake(moody)
    const handler = fastcgi({ scriptFilename: '/x.php', match: /^/, server: fake.address, logger: false })
    const seen: { readonly emitter: EventEmitter; readonly before: Record<string, number> }[] = []
    let over = 0
    const server = createServer((req, res) => {
      const emitters: readonly EventEmitter[] = [req, res]
      for (const emitter of emitters) seen.push({ emitter, before: listeners(emitter) })
      void Promise.resolve(handler(req, res)).then(() => (over += 1))
    })
    await using listening = await listen(server)
    const draw = random(SEED)
    for (let number = 0; number < 60; number += 1) {
      const body = number % 4 === 0 ? 'Content-Length: 100000\r\n\r\nhalf' : '\r\n'
      const socket = connect(listening.port, '127.0.0.1')
      socket.on('error', () => undefined).resume()
      socket.write(`${number % 4 === 0 ? 'POST' : 'GET'} /${number} HTTP/1.1\r\nHost: x\r\n${body}`)
      await fake.request(number + 1)
      if (draw(2) === 0) await wait(draw(10))
      socket.destroy()
    }
    await eventually('every request is over', () => over === 60)
    await fake.until(() => fake.connections.open === 0)
    for (const { emitter, before } of seen) {
      for (const [name, count] of Object.entries(listeners(emitter))) {
        assert.ok(
          count <= (before[name] ?? 0),
          `${count} listeners for ${name} are left, there were ${before[name] ?? 0}`,
        )
      }
    }
    const [backendStatus] = handler.status().servers
    assert.equal(backendStatus?.busy, 0)
    await handler.close()
    await fake.stop()
  })
})
