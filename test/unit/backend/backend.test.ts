import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { fixedAllowance } from '../../../lib/backend/allowance.ts'
import { Backend, type BackendOwner, type BackendParts } from '../../../lib/backend/backend.ts'
import type { ManagedBackend } from '../../../lib/backend/managed-backend.ts'
import { parseAddress } from '../../../lib/client/address.ts'
import { channels } from '../../../lib/diagnostics.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { serverOptions } from '../../support/backends.ts'
import { eventually } from '../../support/eventually.ts'
import { answer, startFake } from '../../support/responder.ts'

const REFUSED = new FastCgiError('ERR_FCGI_CONNECT', { detail: 'Nothing listens' })
const FAILED = { error: REFUSED, answered: false, ended: false, kept: false }
const HEALTH_CHECK = { interval: 5, timeout: 5000, ping: '/ping', script: null }
const nobody: BackendOwner = { placeFreed: () => false, healthChanged: () => undefined, waitingFor: () => 0 }

function backend(options: Partial<ReturnType<typeof serverOptions>> = {}, parts: Partial<BackendParts> = {}): Backend {
  const address = options.address ?? '127.0.0.1:9'
  return new Backend(serverOptions(address, options), parseAddress(address), { owner: nobody, ...parts })
}

/** A backend of ours that starts when the test says so. */
class Managed implements ManagedBackend {
  readonly address: string = '127.0.0.1:9'
  running = false
  answers = 0
  started = (): void => undefined

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.started = () => {
        this.running = true
        resolve()
      }
    })
  }

  noteAnswer(): void {
    this.answers += 1
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }
}

function managed(place: ManagedBackend): Backend {
  return new Backend(serverOptions(null), place, { owner: nobody })
}

describe('A managed Backend', () => {
  it('has no address before it was started, and is then ready', async () => {
    const place = new Managed()
    const one = managed(place)
    assert.deepEqual([one.running, one.restarts, one.status.address, one.status.state], [false, true, null, 'stopped'])
    const start = one.start(new AbortController().signal)
    place.started()
    await start
    assert.deepEqual([one.running, one.status.address, one.status.state], [true, '127.0.0.1:9', 'up'])
    await one.close()
  })

  it('waits for a start no longer than who asks for it', async () => {
    const one = managed(new Managed())
    const gone = new Error('gone')
    const leaving = new AbortController()
    const start = one.start(leaving.signal)
    leaving.abort(gone)
    await assert.rejects(start, gone)
    await assert.rejects(one.start(leaving.signal), gone)
  })

  it('hands out connections after a start that its first client did not wait for', async () => {
    const place = new Managed()
    const one = managed(place)
    await assert.rejects(one.start(AbortSignal.abort(new Error('the client left'))), /the client left/)
    place.started()
    one.pool.take()
    const connection = await one.pool.connect(false)
    assert.equal(connection.state, 'new')
    one.noteAnswer(1, one.health.generation)
    assert.equal(place.answers, 1)
    one.pool.checkIn(connection, 'not kept')
    await one.close()
  })

  it('is not checked while it is stopped', async () => {
    const one = managed(new Managed())
    assert.equal(one.borrow(), null)
    assert.equal(one.pool.busy, 0)
  })

  it('is started again by its check when it is down, as no user request would', async () => {
    const place = new Managed()
    const one = new Backend(serverOptions(null, { maxFails: 1 }), place, { owner: nobody })
    one.noteFailure(FAILED, one.health.generation)
    const borrowed = Promise.resolve(one.borrow())
    place.started()
    const connection = (await borrowed) ?? assert.fail('it runs')
    assert.deepEqual([one.running, one.pool.busy], [true, 1])
    one.checkIn(connection, 'not kept')
    place.running = false
    place.start = () => Promise.reject(REFUSED)
    assert.equal(await one.borrow(), null)
    place.start = () => Promise.resolve()
    const late = Promise.resolve(one.borrow())
    await one.close()
    assert.deepEqual([await late, one.pool.busy], [null, 0])
  })
})

describe('Backend', () => {
  it('runs and keeps what its configuration says', () => {
    const one = backend({ restarts: true, weight: 3, backup: true })
    assert.deepEqual([one.running, one.restarts, one.weight, one.backup, one.key], [true, true, 3, true, '127.0.0.1:9'])
    assert.deepEqual([one.free, one.busy], [true, 0])
    one.pool.take()
    assert.equal(one.busy, 1)
  })

  it('tells what it is and what became of its requests, in plain data', () => {
    const one = backend({ maxConnections: 7 })
    const { latencyHistogram, ...fresh } = one.status
    assert.deepEqual(fresh, {
      server: 'php',
      address: '127.0.0.1:9',
      state: 'up',
      backup: false,
      weight: 1,
      maxConnections: 7,
      open: 0,
      idle: 0,
      busy: 0,
      waiting: 0,
      requests: 0,
      failures: 0,
      retries: 0,
      latency: null,
      lastErrors: [],
      downSince: null,
    })
    one.noteAnswer(12, one.health.generation)
    one.noteFailure(FAILED, one.health.generation)
    one.noteRetry()
    const { requests, failures, retries, lastErrors } = one.status
    assert.deepEqual([requests, failures, retries, lastErrors[0]?.code], [1, 1, 1, 'ERR_FCGI_CONNECT'])
    assert.equal(latencyHistogram.count, 0)
    assert.deepEqual(JSON.parse(JSON.stringify(one.status)), one.status)
  })

  it('does not count mistakes of the client and of ours as its failures', () => {
    const one = backend({ maxFails: 1 })
    for (const code of ['ERR_FCGI_BODY_LENGTH', 'ERR_FCGI_INTERNAL'] as const) {
      one.noteFailure({ ...FAILED, error: new FastCgiError(code) }, one.health.generation)
    }
    assert.deepEqual([one.status.failures, one.status.lastErrors, one.health.up], [0, [], true])
  })

  it('tells log, channels and owner when it goes down and comes up', () => {
    const told: string[] = []
    const messages: unknown[] = []
    const listener = (message: unknown): void => void messages.push(message)
    subscribe(channels.backendDown.name, listener)
    subscribe(channels.backendUp.name, listener)
    let clock = 1000
    const one = backend(
      { maxFails: 2, failTimeout: 500 },
      {
        now: () => clock,
        owner: { ...nobody, healthChanged: () => void told.push('owner') },
        log: { info: (line) => void told.push(line), warn: (line) => void told.push(line) },
      },
    )
    const before = Date.now()
    one.noteFailure(FAILED, one.health.generation)
    assert.deepEqual(told, [])
    one.noteFailure(FAILED, one.health.generation)
    clock += 200
    const { state, downSince } = one.status
    assert.equal(state, 'down')
    assert.ok(downSince !== null && downSince >= before && downSince <= Date.now())
    one.noteAnswer(1, one.health.generation)
    assert.equal(one.status.downSince, null)
    unsubscribe(channels.backendDown.name, listener)
    unsubscribe(channels.backendUp.name, listener)
    assert.deepEqual(told, [
      'php (127.0.0.1:9) is down, and left alone for 500 ms: ERR_FCGI_CONNECT: Nothing listens',
      'owner',
      'php (127.0.0.1:9) is up again after 200 ms',
      'owner',
    ])
    const [down, up] = messages as { until?: number }[]
    assert.deepEqual({ ...down, until: 0 }, { server: 'php', address: '127.0.0.1:9', error: REFUSED, until: 0 })
    assert.ok((down?.until ?? 0) >= before + 500)
    assert.deepEqual(up, { server: 'php', address: '127.0.0.1:9', downFor: 200 })
  })

  it('takes another configuration in place', () => {
    const one = backend({ maxFails: 1 })
    one.noteFailure(FAILED, one.health.generation)
    one.reconfigure(serverOptions('127.0.0.1:9', { maxFails: 0, maxConnections: 9, weight: 5, backup: true }))
    assert.deepEqual([one.health.up, one.pool.limit, one.weight, one.backup], [true, 9, 5, true])
  })

  it('offers its free places to its owner', () => {
    const offered: Backend[] = []
    const owner = { ...nobody, placeFreed: (freed: Backend) => offered.push(freed) < 0, waitingFor: () => 3 }
    const one = backend({}, { owner })
    one.pool.take()
    one.pool.leave()
    assert.deepEqual([offered, one.status.waiting], [[one], 3])
  })

  it('drains: it gives no more places, and closes behind the last request', async () => {
    const one = backend()
    one.pool.take()
    const closing = one.close()
    assert.deepEqual([one.free, one.status.state, one.borrow()], [false, 'draining', null])
    one.pool.leave()
    await closing
  })

  it('is checked no more once it drains, whatever is configured then', async (t) => {
    const one = backend()
    await one.close()
    const { mock } = t.mock.method(globalThis, 'setTimeout')
    one.reconfigure(serverOptions('127.0.0.1:9', { healthCheck: HEALTH_CHECK }))
    assert.equal(mock.callCount(), 0)
  })

  it('asks for a place to be checked on where it is down and this process has been left none', () => {
    let wants = 0
    const want = (): void => {
      wants += 1
    }
    const one = backend({ maxFails: 1 }, { createAllowance: () => ({ ...fixedAllowance(0), want }) })
    assert.deepEqual([one.borrow(), wants], [null, 0])
    one.noteFailure(FAILED, one.health.generation)
    assert.deepEqual([one.borrow(), wants], [null, 1])
  })

  it('is checked where that is configured, until it is closed or configured otherwise', async () => {
    const fake = await startFake((request) => request.send(answer('Content-Type: text/plain\r\n\r\npong')))
    const healthCheck = HEALTH_CHECK
    const one = backend({ address: fake.address, healthCheck, maxFails: 1 })
    one.noteFailure(FAILED, one.health.generation)
    assert.equal(one.health.claimProbe(false), false, 'no request of a user is a probe')
    await eventually('a check brings it up', () => one.health.up)
    assert.equal(fake.requests[0]?.params.get('SCRIPT_NAME'), '/ping')
    one.reconfigure(serverOptions(fake.address, { healthCheck: { ...healthCheck, ping: '/other' } }))
    await eventually('another page is asked for', () => fake.requests.at(-1)?.params.get('SCRIPT_NAME') === '/other')
    one.reconfigure(serverOptions(fake.address))
    await eventually('the last check is over', () => one.pool.busy === 0)
    const { length } = fake.requests
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(fake.requests.length, length)
    await one.close()
    await fake.stop()
  })
})
