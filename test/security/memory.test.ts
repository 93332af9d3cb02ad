import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { ask, open } from '../support/http-client.ts'
import { type Fake, type FakeScript, startFake } from '../support/responder.ts'

// What passes through the gateway, in a process of its own, must not stay there.

const MEGABYTE = 1024 * 1024
const GIGABYTE = 1024 * MEGABYTE

/** Most that the highest resident memory ever may grow by: a hundredth of what goes through, and what the collector leaves lying. */
const MOST = 64 * MEGABYTE

/** The highest resident memory of a process so far; Linux alone tells. */
function peak(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kilobytes) * 1024
}

const skip = !existsSync('/proc/self/status') && 'SKIPPED: /proc is not here'

describe('A gateway through which 1 GiB goes', { skip, timeout: 110_000 }, () => {
  let fake: Fake
  let gateway: GatewayProcess
  /** Bytes that the fake responder got rid of. */
  let poured = 0

  const script: FakeScript = async (request) => {
    const path = request.params.get('REQUEST_URI') ?? ''
    if (path.startsWith('/upload')) {
      await request.connection.until(() => request.stdinEnded || request.connection.closed)
      return request.answer(`A: b\r\n\r\n${request.stdinLength}`)
    }
    const length = Number(path.slice('/download/'.length))
    const piece = Buffer.alloc(MEGABYTE, 'd')
    await request.stdout('Content-Type: application/octet-stream\r\n\r\n')
    for (poured = 0; poured < length && !request.connection.closed; poured += piece.length) await request.stdout(piece)
    await request.end()
  }

  before(async () => {
    fake = await startFake(script, { discardStdin: true })
    gateway = await startGatewayProcess({
      scriptFilename: '/x.php',
      match: ['/*path'],
      server: fake.address,
      logger: false,
      bodyLimit: 'unlimited',
    })
    // What the first requests need once and for all.
    await download(32 * MEGABYTE)
    await upload(32 * MEGABYTE)
  })
  after(async () => {
    await gateway?.stop()
    await fake?.stop()
  })

  async function download(length: number): Promise<void> {
    let received = 0
    for await (const piece of await open(`${gateway.url}/download/${length}`)) received += (piece as Buffer).length
    assert.equal(received, length)
  }

  async function upload(length: number): Promise<void> {
    const socket = connect(gateway.port, '127.0.0.1')
    let answer = ''
    socket.on('data', (piece) => {
      answer += String(piece)
    })
    socket.write(`POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`)
    const piece = Buffer.alloc(MEGABYTE, 'u')
    for (let sent = 0; sent < length; sent += piece.length) if (!socket.write(piece)) await once(socket, 'drain')
    await once(socket, 'close')
    assert.match(answer, new RegExp(`${length}`))
  }

  /** How much the peak has grown by. */
  async function growth(work: () => Promise<void>): Promise<void> {
    const before = peak(gateway.pid)
    await work()
    const grown = peak(gateway.pid) - before
    assert.ok(grown < MOST, `the peak was ${before} bytes and grew by ${grown}`)
  }

  it('to a client that pauses holds the script back, then brings all of it, with flat memory', () =>
    growth(async () => {
      const message = await open(`${gateway.url}/download/${GIGABYTE}`)
      message.pause()
      for (let last = -1; last !== poured; ) {
        last = poured
        await wait(300)
      }
      assert.ok(poured < 64 * MEGABYTE, `the script got rid of ${poured} bytes that nobody had read`)
      let received = 0
      for await (const piece of message) received += (piece as Buffer).length
      assert.equal(received, GIGABYTE)
    }))

  it('from a fast client stays flat', () => growth(() => upload(GIGABYTE)))

  it('from a client that is faster than its script stays flat', () =>
    growth(async () => {
      const connections = fake.connections.count
      const uploading = upload(128 * MEGABYTE)
      await fake.until(() => fake.connections.count > connections)
      const connection = fake.connections.list.at(-1)
      connection?.pause()
      await wait(500)
      connection?.resume()
      await uploading
    }))

  it('serves the next one as ever', async () => {
    assert.equal((await ask(`${gateway.url}/upload`)).text, '0')
  })
})
