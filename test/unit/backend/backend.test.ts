import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Backend } from '../../../lib/backend/backend.ts'
import { OptionError } from '../../../lib/errors.ts'

function backend(name: string): Backend {
  return new Backend({ name, address: '127.0.0.1:9', maxConnections: 1, maxRequests: 1, idleTimeout: 1000 })
}

describe('Backend', () => {
  it('refuses an address that is none', () => {
    const options = { name: 'a', address: 'nowhere', maxConnections: 1, maxRequests: 1, idleTimeout: 1 }
    assert.throws(() => new Backend(options), OptionError)
  })

  it('has no address before it was started, where that is ours to do, and none but a running one to wait for', async () => {
    const managed = {
      address: '127.0.0.1:9',
      running: false,
      async start() {
        this.running = true
      },
      noteAnswer: () => undefined,
      stop: async () => undefined,
    }
    const options = { name: 'a', address: null, maxConnections: 1, maxRequests: 1, idleTimeout: 1000 }
    const one = new Backend(options, managed)
    assert.deepEqual([one.running, one.restarts, one.status.address], [false, true, null])
    await one.start(new AbortController().signal)
    assert.deepEqual([one.running, one.restarts, one.status.address], [true, true, '127.0.0.1:9'])
    assert.deepEqual([backend('b').running, backend('b').restarts], [true, false])
  })

  it('waits for a start no longer than who asks for it', async () => {
    const never = new Promise<void>(() => undefined)
    const managed = {
      address: '127.0.0.1:9',
      running: false,
      start: () => never,
      noteAnswer: () => undefined,
      stop: async () => undefined,
    }
    const options = { name: 'a', address: null, maxConnections: 1, maxRequests: 1, idleTimeout: 1000 }
    const one = new Backend(options, managed)
    const gone = new Error('gone')
    const leaving = new AbortController()
    const start = one.start(leaving.signal)
    leaving.abort(gone)
    await assert.rejects(start, gone)
    await assert.rejects(one.start(leaving.signal), gone)
  })

  it('hands out connections after a start that its first client did not wait for', async () => {
    let started = (): void => undefined
    const managed = {
      address: '127.0.0.1:9',
      running: false,
      start: () =>
        new Promise<void>((resolve) => {
          started = resolve
        }),
      noteAnswer: () => undefined,
      stop: async () => undefined,
    }
    const options = { name: 'a', address: null, maxConnections: 1, maxRequests: 1, idleTimeout: 1000 }
    const one = new Backend(options, managed)
    const leaving = AbortSignal.abort(new Error('the client left'))
    await assert.rejects(one.start(leaving), /the client left/)
    managed.running = true
    started()
    const limits = { queueTimeout: 1000, queueLimit: 1, fresh: false }
    const connection = await one.pool.checkOut(limits, () => AbortSignal.timeout(1000))
    assert.equal(connection.state, 'new')
    assert.equal(one.status.address, '127.0.0.1:9')
    one.pool.checkIn(connection, 'not kept')
    await one.close()
  })

  it('tells what became of its requests, in plain data', () => {
    const one = backend('php')
    const nothing = { open: 0, idle: 0, busy: 0, waiting: 0 }
    const fresh = { name: 'php', address: '127.0.0.1:9', ...nothing, requests: 0, failures: 0, latency: null }
    assert.deepEqual(one.status, fresh)
    one.noteFailure()
    for (let duration = 1; duration <= 101; duration += 1) one.noteAnswer(102 - duration)
    assert.deepEqual(one.status, { ...fresh, requests: 101, failures: 1, latency: { p50: 51, p95: 96, p99: 100 } })
    assert.deepEqual(JSON.parse(JSON.stringify(one.status)), one.status)
  })

  it('tells the latency of the last answers alone', () => {
    const one = backend('php')
    for (let count = 0; count < 256; count += 1) one.noteAnswer(1000)
    for (let count = 0; count < 256; count += 1) one.noteAnswer(2)
    assert.deepEqual(one.status.latency, { p50: 2, p95: 2, p99: 2 })
    assert.equal(one.status.requests, 512)
  })
})
