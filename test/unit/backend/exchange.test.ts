import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Backend } from '../../../lib/backend/backend.ts'
import { Exchange } from '../../../lib/backend/exchange.ts'
import type { ExchangeLimits, ExchangeOptions } from '../../../lib/backend/exchange-options.ts'
import type { BackendGroup } from '../../../lib/backend/group.ts'
import type { Server, ServerOptions } from '../../../lib/backend/server.ts'
import { encodeClientRequest, type RequestStdin } from '../../../lib/client/encoded-request.ts'
import { channels } from '../../../lib/diagnostics.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { groupOf, only, serverFor } from '../../support/backends.ts'
import { eventually } from '../../support/eventually.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { type AnswerHooks, RecordedAnswer } from '../../support/recorded-answer.ts'
import {
  answer,
  end,
  type Fake,
  type FakeRequest,
  type FakeScript,
  startFake,
  stdout,
} from '../../support/responder.ts'
import { startFull } from '../../support/responder-full.ts'

const GONE = new FastCgiError('ERR_FCGI_CLIENT_GONE')
const OVERLOADED = 2

const LIMITS: ExchangeLimits = {
  retries: 1,
  timeout: 0,
  connectTimeout: 30_000,
  sendTimeout: 30_000,
  readTimeout: 30_000,
  queueTimeout: 30_000,
  queueLimit: 100,
}

interface Asking extends Partial<Omit<ExchangeOptions, 'limits'>>, Partial<ExchangeLimits>, AnswerHooks {
  readonly stdin?: RequestStdin
}

function exchangeWith(backends: readonly Backend[], asking: Asking = {}): { exchange: Exchange; sink: RecordedAnswer } {
  const { stdin = null, ...given } = asking
  const sink = new RecordedAnswer(asking)
  const encoded = encodeClientRequest({ params: new Map([['A', 'b']]), stdin, keepConnection: true })
  const options = {
    request: 1,
    client: '127.0.0.1',
    encoded,
    reuse: true,
    method: 'GET',
    repeatable: true,
    limits: { ...LIMITS, ...given },
    ...given,
  }
  return { exchange: new Exchange(groupFor(backends), options, sink), sink }
}

/** Resolves when the sink has the whole answer, rejects with why there is none. */
function run(exchange: Exchange): Promise<void> {
  return new Promise((resolve, reject) => {
    exchange.run((error) => (error === null ? resolve() : reject(error)))
  })
}

/** The server of each backend here. */
const servers = new Map<Backend, Server>()

/** One for each list, as in a location: its queue is shared. */
const groups = new Map<string, BackendGroup>()

function groupFor(backends: readonly Backend[]): BackendGroup {
  const key = backends.map((backend) => backend.key).join()
  const group = groups.get(key) ?? groupOf(backends.flatMap((backend) => servers.get(backend) ?? []))
  groups.set(key, group)
  return group
}

function backendAt(address: string, maxConnections: number = 4, options: Partial<ServerOptions> = {}): Backend {
  const server = serverFor(address, { maxConnections, ...options })
  const backend = only(server)
  servers.set(backend, server)
  return backend
}

async function start(script: FakeScript, maxConnections?: number): Promise<{ fake: Fake; backend: Backend }> {
  const fake = await startFake(script)
  return { fake, backend: backendAt(fake.address, maxConnections) }
}

/** No place was lost: the pool empties. */
async function stop(fake: Fake, ...backends: readonly Backend[]): Promise<void> {
  for (const { pool } of backends) {
    await pool.close()
    assert.deepEqual([pool.status, pool.busy], [{ open: 0, idle: 0, busy: 0 }, 0])
  }
  await fake.until(() => fake.connections.open === 0)
  await fake.stop()
}

/** Leaves two kept connections; both are served before one comes back, so that none looks starved. */
async function keepTwo({ pool }: Backend): Promise<void> {
  const timeouts = { connectTimeout: 0, sendTimeout: 0, readTimeout: 0 }
  const encoded = encodeClientRequest({ params: new Map(), stdin: null, keepConnection: true })
  pool.take()
  pool.take()
  const both = [await pool.connect(false), await pool.connect(false)]
  const answers = both.map((connection) => {
    const received = new RecordedAnswer()
    connection.send(encoded, timeouts, received)
    return received.over
  })
  await Promise.all(answers)
  for (const connection of both) pool.checkIn(connection, null)
  assert.equal(pool.status.idle, 2)
}

const answering = (request: FakeRequest): Promise<void> => request.answer('\r\nbody')

/** Answers the first request of each connection and drops it at the second: a kept connection that has died. */
const dyingKept: FakeScript = async (request) => {
  if (request.connection.requests.length === 1) await request.answer('\r\nbody')
  else request.connection.close()
}

function streamOf(source: Readable, length: number): RequestStdin {
  return { length, content: null, open: () => source }
}

describe('Exchange', { timeout: 60_000 }, () => {
  staysQuiet()

  it('brings an answer and keeps its connection', async () => {
    const { fake, backend } = await start(answering)
    for (let count = 1; count <= 3; count += 1) {
      const { exchange, sink } = exchangeWith([backend])
      await run(exchange)
      assert.deepEqual(sink.calls, ['stdout', 'end'])
      assert.deepEqual(backend.pool.status, { open: 1, idle: 1, busy: 0 })
      assert.equal(backend.status.requests, count)
    }
    assert.equal(fake.connections.count, 1)
    await stop(fake, backend)
  })

  it('does not keep its connection where it may not, or where the answer was not well-formed', async () => {
    const { fake, backend } = await start(answering)
    await run(exchangeWith([backend], { reuse: false }).exchange)
    assert.equal(backend.pool.status.open, 0)
    const { exchange, sink } = exchangeWith([backend])
    sink.reusable = false
    await run(exchange)
    assert.equal(backend.pool.status.open, 0)
    assert.equal(fake.connections.count, 2)
    await stop(fake, backend)
  })

  it('never shows the next request what came behind an answer', async () => {
    for (const pieces of [
      [Buffer.concat([answer('\r\none'), stdout('surplus')])],
      [answer('\r\none'), stdout('surplus')],
    ]) {
      const { fake, backend } = await start(async (request) => {
        if (fake.requests.length === 1) await request.send(...pieces)
        else await request.answer('\r\ntwo')
      })
      const first = exchangeWith([backend])
      await run(first.exchange)
      await fake.until(() => fake.connections.open === 0)
      const second = exchangeWith([backend])
      await run(second.exchange)
      assert.deepEqual([first.sink.text, second.sink.text], ['\r\none', '\r\ntwo'])
      assert.equal(first.sink.calls.at(-1), 'end')
      assert.equal(fake.connections.count, 2)
      await stop(fake, backend)
    }
  })

  it('reads the next answer on a connection on which the last one was held back at its end', async () => {
    const { fake, backend } = await start(answering)
    for (let count = 0; count < 2; count += 1) {
      let hold = (): void => undefined
      const { exchange, sink } = exchangeWith([backend], { readTimeout: 5000, onEnd: () => hold() })
      hold = () => exchange.pause()
      await run(exchange)
      assert.equal(sink.text, '\r\nbody')
    }
    assert.equal(fake.connections.count, 1)
    await stop(fake, backend)
  })

  it('fails with what the sink throws, at any moment, and asks no other attempt', async () => {
    const { fake, backend } = await start((request) =>
      fake.requests.length < 3 ? request.stdout('\r\n') : request.answer('\r\n'),
    )
    const thrown = new FastCgiError('ERR_FCGI_BAD_RESPONSE')
    const hook = (): never => {
      throw thrown
    }
    for (const hooks of [{ onStdout: hook }, { onFlush: hook }, { onEnd: hook }]) {
      const { exchange, sink } = exchangeWith([backend], hooks)
      await assert.rejects(run(exchange), thrown)
      const { length } = sink.calls
      await wait(20)
      assert.equal(sink.calls.length, length)
    }
    assert.equal(fake.requests.length, 3)
    assert.equal(backend.status.failures, 3)
    await stop(fake, backend)
  })
})

describe('A failure', { timeout: 60_000 }, () => {
  staysQuiet()

  it('of the request body is not counted against the backend', async () => {
    const { fake, backend } = await start(() => undefined)
    const { exchange } = exchangeWith([backend], { stdin: streamOf(Readable.from([Buffer.from('12')]), 5) })
    await assert.rejects(run(exchange), { code: 'ERR_FCGI_BODY_LENGTH' })
    assert.equal(backend.status.failures, 0)
    await stop(fake, backend)
  })
})

describe('A second attempt', { timeout: 60_000 }, () => {
  staysQuiet()

  it('replaces a kept connection that had died, on a fresh one', async () => {
    const heard: unknown[] = []
    const listener = (message: unknown): void => {
      heard.push(message)
    }
    subscribe(channels.backendRetry.name, listener)
    const { fake, backend } = await start(dyingKept)
    // Two kept connections, both dead: the one retry must not meet the other.
    await keepTwo(backend)
    const { exchange, sink } = exchangeWith([backend])
    await run(exchange)
    assert.deepEqual(sink.calls, ['stdout', 'end'])
    assert.equal(fake.connections.count, 3)
    const [message] = heard as { server: string; attempt: number; error: FastCgiError }[]
    assert.deepEqual([heard.length, message?.server, message?.attempt], [1, 'php', 1])
    assert.equal(message?.error.code, 'ERR_FCGI_RESET')
    unsubscribe(channels.backendRetry.name, listener)
    await stop(fake, backend)
  })

  for (const [what, asking] of [
    ['a POST', { method: 'POST' }],
    ['a PATCH', { method: 'PATCH' }],
    ['a PUT whose body is gone', { method: 'PUT', repeatable: false }],
    ['anything with no retries', { retries: 0 }],
  ] as const) {
    it(`is not made for ${what} on a kept connection that had died`, async () => {
      const { fake, backend } = await start(dyingKept)
      await run(exchangeWith([backend]).exchange)
      await assert.rejects(run(exchangeWith([backend], asking).exchange), { code: 'ERR_FCGI_RESET' })
      assert.equal(fake.requests.length, 2)
      await stop(fake, backend)
    })
  }

  it('is not needed by a POST, which goes over no kept connection that it would not keep', async () => {
    const { fake, backend } = await start(dyingKept)
    await keepTwo(backend)
    const { exchange, sink } = exchangeWith([backend], { method: 'POST', reuse: false })
    await run(exchange)
    assert.deepEqual(sink.calls, ['stdout', 'end'])
    assert.equal(fake.connections.count, 3)
    // It took the place of one that was idle: the backend has no more connections than before.
    assert.deepEqual(backend.pool.status, { open: 1, idle: 1, busy: 0 })
    await stop(fake, backend)
  })

  it('is not made where a new connection died, nor behind a byte of an answer', async () => {
    const { fake, backend } = await start(async (request) => {
      if (fake.requests.length === 3) await request.send(Buffer.from([1]))
      if (fake.requests.length === 2) await request.answer('\r\n')
      else request.connection.close()
    })
    await assert.rejects(run(exchangeWith([backend]).exchange), { code: 'ERR_FCGI_RESET' })
    await run(exchangeWith([backend]).exchange)
    await assert.rejects(run(exchangeWith([backend]).exchange), { code: 'ERR_FCGI_TRUNCATED' })
    assert.equal(fake.requests.length, 3)
    await stop(fake, backend)
  })

  it('is made, for a POST too, where the backend was overloaded, until the retries are used up', async () => {
    const { fake, backend } = await start(async (request) => {
      if (fake.requests.length < 3) await request.end({ protocolStatus: OVERLOADED })
      else await request.answer('\r\nbody')
    })
    await assert.rejects(run(exchangeWith([backend], { method: 'POST' }).exchange), { code: 'ERR_FCGI_OVERLOADED' })
    assert.equal(fake.requests.length, 2)
    const { exchange, sink } = exchangeWith([backend], { method: 'POST' })
    await run(exchange)
    assert.equal(sink.text, '\r\nbody')
    await stop(fake, backend)
  })

  it('is not made once output has reached the client, whatever END_REQUEST says', async () => {
    const { fake, backend } = await start((request) =>
      request.send(Buffer.concat([stdout('\r\nhalf'), end({ protocolStatus: OVERLOADED })])),
    )
    const { exchange, sink } = exchangeWith([backend])
    await assert.rejects(run(exchange), { code: 'ERR_FCGI_PROTOCOL' })
    assert.equal(sink.text, '\r\nhalf')
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend)
  })

  it('goes to the next server at once where there is one', async () => {
    const { fake, backend } = await start(answering)
    const missing = backendAt(`${fake.address}-none`)
    const { exchange, sink } = exchangeWith([missing, backend], { method: 'POST', repeatable: false })
    await run(exchange)
    assert.equal(sink.text, '\r\nbody')
    assert.deepEqual([missing.status.failures, backend.status.requests], [1, 1])
    await stop(fake, missing, backend)
  })

  it('waits a little for the only server, and finds it back', async () => {
    const directory = await startFake(() => undefined)
    const missing = backendAt(`${directory.address}-none`)
    const began = performance.now()
    await assert.rejects(run(exchangeWith([missing], { retries: 2 }).exchange), { code: 'ERR_FCGI_CONNECT' })
    assert.ok(performance.now() - began >= 190)
    assert.equal(missing.status.failures, 3)
    await stop(directory, missing)
  })

  it('is not made behind connectTimeout where there is no other server', async () => {
    const full = await startFull({ over: 'tcp' })
    const backend = backendAt(full.address)
    await assert.rejects(run(exchangeWith([backend], { connectTimeout: 40, retries: 5 }).exchange), {
      code: 'ERR_FCGI_CONNECT_TIMEOUT',
    })
    assert.equal(backend.status.failures, 1)
    await backend.pool.close()
    await full.stop()
  })

  it('sends a body at hand again, whole', async () => {
    const bodies: string[] = []
    const { fake, backend } = await start(async (request) => {
      const body = await request.body()
      bodies.push(`${body.length}`)
      if (bodies.length === 1) await request.end({ protocolStatus: OVERLOADED })
      else await request.answer('\r\n')
    })
    const content = Buffer.alloc(200_000, 'x')
    const stdin = {
      length: content.length,
      content: null,
      open: () => Readable.from([content.subarray(0, 9), content.subarray(9)]),
    }
    await run(exchangeWith([backend], { method: 'PUT', stdin }).exchange)
    assert.deepEqual(bodies, ['200000', '200000'])
    await stop(fake, backend)
  })
})

describe('An exchange that is cancelled', { timeout: 60_000 }, () => {
  staysQuiet()

  it('before it runs, takes no place', async () => {
    const { fake, backend } = await start(answering, 1)
    backend.pool.take()
    const { exchange } = exchangeWith([backend])
    exchange.cancel(GONE)
    exchange.cancel(new FastCgiError('ERR_FCGI_INTERNAL'))
    await assert.rejects(run(exchange), GONE)
    assert.equal(backend.status.waiting, 0)
    backend.pool.leave()
    await stop(fake, backend)
  })

  it('in the queue, leaves it', async () => {
    const { fake, backend } = await start(() => undefined, 1)
    const first = exchangeWith([backend])
    const busy = assert.rejects(run(first.exchange), GONE)
    const second = exchangeWith([backend])
    const waiting = assert.rejects(run(second.exchange), GONE)
    assert.equal(backend.status.waiting, 1)
    second.exchange.cancel(GONE)
    await waiting
    assert.equal(backend.status.waiting, 0)
    assert.deepEqual(second.sink.calls, [])
    await fake.request(1)
    first.exchange.cancel(GONE)
    await busy
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend)
  })

  it('at its turn, gives its place on', async () => {
    const { fake, backend } = await start(answering, 1)
    backend.pool.take()
    const { exchange } = exchangeWith([backend])
    const rejected = assert.rejects(run(exchange), GONE)
    backend.pool.leave()
    exchange.cancel(GONE)
    await rejected
    assert.equal(fake.connections.count, 0)
    await run(exchangeWith([backend], { queueLimit: 0 }).exchange)
    await stop(fake, backend)
  })

  it('while its connection is opened, closes it', async () => {
    const full = await startFull({ over: 'unix' })
    const backend = backendAt(full.address, 1)
    const { exchange, sink } = exchangeWith([backend])
    const rejected = assert.rejects(run(exchange), GONE)
    await wait(20)
    assert.equal(backend.pool.status.busy, 1)
    exchange.cancel(GONE)
    await rejected
    assert.deepEqual(backend.pool.status, { open: 0, idle: 0, busy: 0 })
    assert.deepEqual(sink.calls, [])
    await backend.pool.close()
    await full.stop()
  })

  it('while it pauses before another attempt, makes none', async () => {
    const { fake, backend } = await start((request) => request.end({ protocolStatus: OVERLOADED }))
    const { exchange } = exchangeWith([backend])
    const rejected = assert.rejects(run(exchange), GONE)
    await fake.request(1)
    await fake.until(() => fake.connections.open === 0)
    exchange.cancel(GONE)
    await rejected
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend)
  })

  it('while its body is sent, aborts it and lets go of the source', async () => {
    const fake = await startFake(() => undefined, { discardStdin: true })
    const backend = backendAt(fake.address)
    const source = new Readable({
      read() {
        this.push(Buffer.alloc(65_536))
      },
    })
    const { exchange, sink } = exchangeWith([backend], {
      stdin: streamOf(source, 1e12),
      method: 'POST',
      repeatable: false,
    })
    const rejected = assert.rejects(run(exchange), GONE)
    await fake.request(1)
    source.destroy(GONE)
    exchange.cancel(GONE)
    await rejected
    assert.deepEqual(sink.calls, [])
    await stop(fake, backend)
  })

  it('in the middle of the answer, says no more and frees the backend', async () => {
    const { fake, backend } = await start((request) => request.stdout('\r\nhalf'))
    let cancel = (): void => undefined
    const { exchange, sink } = exchangeWith([backend], { onFlush: () => cancel() })
    cancel = () => exchange.cancel(GONE)
    await assert.rejects(run(exchange), GONE)
    const request = await fake.request(1)
    await request.gone()
    assert.ok(request.aborted)
    assert.deepEqual(sink.calls, ['stdout', 'flush'])
    // Its own client left: the backend did not fail.
    assert.equal(backend.status.failures, 0)
    exchange.pause()
    exchange.resume()
    await stop(fake, backend)
  })

  it('while the answer is held back, ends all the same', async () => {
    const { fake, backend } = await start(async (request) => {
      await request.stdout('\r\n')
      while (!request.aborted && !request.connection.closed) await request.stdout(Buffer.alloc(65_536))
    })
    let hold = (): void => undefined
    let held = (): void => undefined
    const holding = new Promise<void>((resolve) => {
      held = resolve
    })
    const { exchange, sink } = exchangeWith([backend], {
      onStdout: () => {
        hold()
        held()
      },
    })
    hold = () => exchange.pause()
    const rejected = assert.rejects(run(exchange), GONE)
    await holding
    await wait(50)
    exchange.cancel(GONE)
    const { length } = sink.calls
    await rejected
    await fake.until(() => fake.connections.open === 0)
    assert.equal(sink.calls.length, length)
    await stop(fake, backend)
  })

  it('after it is over, is none of its business', async () => {
    const { fake, backend } = await start(answering)
    const { exchange, sink } = exchangeWith([backend])
    await run(exchange)
    exchange.cancel(GONE)
    exchange.pause()
    exchange.resume()
    assert.deepEqual(sink.calls, ['stdout', 'end'])
    assert.equal(backend.pool.status.idle, 1)
    await run(exchangeWith([backend]).exchange)
    assert.equal(fake.connections.count, 1)
    await stop(fake, backend)
  })
})

describe('The timeout of an exchange', { timeout: 60_000 }, () => {
  staysQuiet()

  it('ends it while it waits for its turn, and while it waits for the answer', async () => {
    const { fake, backend } = await start(() => undefined, 1)
    const isTimeout = (error: FastCgiError): boolean =>
      error.code === 'ERR_FCGI_TIMEOUT' && /not over after \d+ ms \(timeout\)/.test(error.detail)
    const first = assert.rejects(run(exchangeWith([backend], { timeout: 90 }).exchange), isTimeout)
    await assert.rejects(run(exchangeWith([backend], { timeout: 30 }).exchange), isTimeout)
    await first
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend)
  })

  it('is not armed for longer than the exchange', async () => {
    const { fake, backend } = await start(answering)
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    await run(exchangeWith([backend], { timeout: 3_600_000 }).exchange)
    const failing = exchangeWith([backendAt(`${fake.address}-none`)], { timeout: 3_600_000, retries: 0 })
    await assert.rejects(run(failing.exchange))
    assert.equal(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length, before)
    await stop(fake, backend)
  })

  it('comes on top of readTimeout, which is not tried again', async () => {
    const { fake, backend } = await start(() => undefined)
    await assert.rejects(run(exchangeWith([backend], { readTimeout: 30 }).exchange), { code: 'ERR_FCGI_READ_TIMEOUT' })
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend)
  })
})

describe('The health of a backend', { timeout: 60_000 }, () => {
  staysQuiet()

  it('is told of each attempt whose failure is its own, at once', async () => {
    const missing = backendAt('/nowhere/s', 4, { maxFails: 3, failTimeout: 3_600_000 })
    await assert.rejects(run(exchangeWith([missing], { retries: 1 }).exchange), { code: 'ERR_FCGI_CONNECT' })
    assert.equal(missing.health.up, true)
    await assert.rejects(run(exchangeWith([missing], { retries: 0 }).exchange), { code: 'ERR_FCGI_CONNECT' })
    assert.equal(missing.health.up, false)
    assert.deepEqual([missing.status.failures, missing.status.retries], [3, 1])
    await missing.close()
  })

  it('is told before the place is handed on, so that nobody is admitted to what has just gone down', async () => {
    const { fake, backend } = await start((request) => request.connection.close(), 1)
    const missing = backendAt(fake.address, 1, { maxFails: 1, failTimeout: 3_600_000 })
    const all = [1, 2, 3].map(() => run(exchangeWith([missing], { retries: 0 }).exchange))
    const codes = (await Promise.allSettled(all)).map((one) => (one.status === 'rejected' ? one.reason.code : 'served'))
    assert.deepEqual(codes, ['ERR_FCGI_RESET', 'ERR_FCGI_DOWN', 'ERR_FCGI_DOWN'])
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend, missing)
  })

  it('makes another attempt fail with the failure that led to it, where none is up', async () => {
    const { fake, backend } = await start((request) => request.end({ protocolStatus: OVERLOADED }))
    const { exchange } = exchangeWith([backend], { retries: 1 })
    const rejected = assert.rejects(run(exchange), { code: 'ERR_FCGI_OVERLOADED' })
    await fake.request(1)
    // Goes down while the exchange pauses, and is being tried by another request.
    await eventually('the attempt is over', () => backend.busy === 0)
    const reset = new FastCgiError('ERR_FCGI_CONNECT')
    for (let count = 0; count < 3; count += 1) {
      const failed = { error: reset, answered: false, ended: false, kept: false }
      backend.noteFailure(failed, backend.health.generation)
    }
    assert.equal(backend.health.claimProbe(true), true)
    await rejected
    assert.equal(fake.requests.length, 1)
    await stop(fake, backend)
  })

  it('is not judged by a kept connection that had died', async () => {
    const { fake, backend } = await start(dyingKept)
    const strict = backendAt(fake.address, 4, { maxFails: 1, failTimeout: 3_600_000 })
    for (let count = 0; count < 4; count += 1) await run(exchangeWith([strict]).exchange)
    assert.deepEqual([strict.health.up, strict.status.failures], [true, 3])
    await stop(fake, backend, strict)
  })

  it('is not judged by what the client or the whole timeout brings about', async () => {
    const { fake, backend } = await start(() => undefined)
    const strict = backendAt(fake.address, 4, { maxFails: 1 })
    await assert.rejects(run(exchangeWith([strict], { timeout: 20 }).exchange), { code: 'ERR_FCGI_TIMEOUT' })
    const { exchange } = exchangeWith([strict])
    const rejected = assert.rejects(run(exchange), GONE)
    await fake.request(2)
    exchange.cancel(GONE)
    await rejected
    assert.deepEqual([strict.health.state, strict.status.failures], ['up', 0])
    await stop(fake, backend, strict)
  })

  it('is found by a probe on a fresh connection: the kept ones are from before', async () => {
    const { fake, backend } = await start(dyingKept)
    const strict = backendAt(fake.address, 4, { maxFails: 1, failTimeout: 3_600_000 })
    await run(exchangeWith([strict]).exchange)
    assert.equal(strict.status.idle, 1)
    const failed = { error: new FastCgiError('ERR_FCGI_CONNECT'), answered: false, ended: false, kept: false }
    strict.noteFailure(failed, strict.health.generation)
    await run(exchangeWith([strict], { retries: 0 }).exchange)
    assert.deepEqual([strict.health.up, fake.connections.count], [true, 2])
    await stop(fake, backend, strict)
  })
})

describe('A backend that is started', { timeout: 60_000 }, () => {
  staysQuiet()

  /** Starts, or does not. */
  function managedBackend(start: () => Promise<void>): { backend: Backend; managed: { running: boolean } } {
    const managed = {
      address: '/nowhere/s',
      running: false,
      start,
      noteAnswer: () => undefined,
      stop: async () => undefined,
    }
    const server = serverFor(null, { name: `managed ${servers.size}`, maxConnections: 1 }, { managed })
    const backend = only(server)
    servers.set(backend, server)
    return { backend, managed }
  }

  it('and does not run gives its place back, and the request to another', async () => {
    const error = new FastCgiError('ERR_FCGI_CONNECT', { detail: 'its last words' })
    const { backend: broken } = managedBackend(() => Promise.reject(error))
    const { fake, backend } = await start(answering)
    const { exchange, sink } = exchangeWith([broken, backend], { method: 'POST', repeatable: false })
    await run(exchange)
    assert.equal(sink.text, '\r\nbody')
    assert.deepEqual([broken.busy, broken.status.failures, broken.status.state], [0, 1, 'stopped'])
    await assert.rejects(run(exchangeWith([broken], { retries: 5 }).exchange), error)
    assert.deepEqual([broken.busy, broken.status.failures], [0, 2], 'it is not asked again at once')
    await stop(fake, broken, backend)
  })

  it('is left by a client that does not wait, and nobody else', async () => {
    const { backend: slow } = managedBackend(() => new Promise(() => undefined))
    const { exchange } = exchangeWith([slow])
    const rejected = assert.rejects(run(exchange), GONE)
    assert.equal(slow.busy, 1)
    exchange.cancel(GONE)
    await rejected
    assert.deepEqual([slow.busy, slow.status.failures, slow.health.up], [0, 0, true])
    await slow.close()
  })
})
