import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { WaitQueue, type Wish } from '../../../lib/backend/wait-queue.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { staysQuiet } from '../../support/quiet-process.ts'

const LIMITS = { client: 'c', queueTimeout: 1000, queueLimit: 10 }
const ANY = (): boolean => true
const never = (): AbortSignal => new AbortController().signal

describe('WaitQueue', { timeout: 30_000 }, () => {
  staysQuiet()

  it('lets requests go on in the order in which they came', async () => {
    const queue = new WaitQueue<Wish, number>()
    const order: number[] = []
    const all = [1, 2, 3].map((n) => queue.wait(LIMITS, never()).then(() => order.push(n)))
    assert.equal(queue.length, 3)
    assert.equal(queue.admitNext(0, ANY), true)
    assert.equal(queue.length, 2)
    queue.admitNext(0, ANY)
    queue.admitNext(0, ANY)
    assert.equal(queue.admitNext(0, ANY), false)
    await Promise.all(all)
    assert.deepEqual(order, [1, 2, 3])
    assert.equal(queue.length, 0)
  })

  it('refuses more than its limit, at once, and takes one again when one has left', async () => {
    const queue = new WaitQueue<Wish, number>()
    const limits = { ...LIMITS, queueLimit: 2 }
    const waiting = [queue.wait(limits, never()), queue.wait(limits, never())]
    const isFull = (error: FastCgiError): boolean =>
      error.code === 'ERR_FCGI_QUEUE_FULL' && /^2 requests wait already \(queueLimit\)/.test(error.detail)
    await assert.rejects(queue.wait(limits, never()), isFull)
    assert.equal(queue.length, 2)
    queue.admitNext(0, ANY)
    waiting.push(queue.wait(limits, never()))
    queue.admitNext(0, ANY)
    queue.admitNext(0, ANY)
    await Promise.all(waiting)
    await assert.rejects(queue.wait({ ...LIMITS, queueLimit: 0 }, never()), { code: 'ERR_FCGI_QUEUE_FULL' })
  })

  it('sends away who has waited for too long, and only those', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const queue = new WaitQueue<Wish, number>()
    const brief = queue.wait({ ...LIMITS, queueTimeout: 10 }, never())
    const patient = queue.wait({ ...LIMITS, queueTimeout: 20 }, never())
    t.mock.timers.tick(10)
    await assert.rejects(brief, (error: FastCgiError) => {
      return error.code === 'ERR_FCGI_QUEUE_TIMEOUT' && /10 ms \(queueTimeout\)/.test(error.detail)
    })
    assert.equal(queue.length, 1)
    assert.ok(queue.admitNext(0, ANY))
    await patient
    t.mock.timers.tick(100)
    assert.equal(queue.length, 0)
  })

  it('lets a request wait for ever with a queueTimeout of 0', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const queue = new WaitQueue<Wish, number>()
    const waiting = queue.wait({ ...LIMITS, queueTimeout: 0 }, never())
    t.mock.timers.tick(2 ** 31 - 2)
    assert.equal(queue.length, 1)
    queue.admitNext(0, ANY)
    await waiting
  })

  it('lets a client that leaves out of the middle, with the reason of its signal', async () => {
    const queue = new WaitQueue<Wish, number>()
    const abortController = new AbortController()
    const order: string[] = []
    const first = queue.wait(LIMITS, never()).then(() => order.push('first'))
    const second = queue.wait(LIMITS, abortController.signal)
    const third = queue.wait(LIMITS, never()).then(() => order.push('third'))
    const reason = new Error('gone')
    abortController.abort(reason)
    await assert.rejects(second, reason)
    assert.equal(queue.length, 2)
    queue.admitNext(0, ANY)
    queue.admitNext(0, ANY)
    await Promise.all([first, third])
    assert.deepEqual(order, ['first', 'third'])
  })

  it('does not take a client that has left already', async () => {
    const queue = new WaitQueue<Wish, number>()
    const reason = new Error('gone')
    await assert.rejects(queue.wait(LIMITS, AbortSignal.abort(reason)), reason)
    assert.equal(queue.length, 0)
  })

  it('leaves no listener on a signal, however the waiting ended', async () => {
    const queue = new WaitQueue<Wish, number>()
    const { signal } = new AbortController()
    const admitted = queue.wait(LIMITS, signal)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    queue.admitNext(0, ANY)
    await admitted
    await assert.rejects(queue.wait({ ...LIMITS, queueTimeout: 1 }, signal))
    await assert.rejects(queue.wait({ ...LIMITS, queueLimit: 0 }, signal))
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('takes turns between clients, each in its own order', async () => {
    const queue = new WaitQueue<Wish, number>()
    const order: string[] = []
    const wait = (client: string, n: number): Promise<unknown> =>
      queue.wait({ ...LIMITS, client }, never()).then(() => order.push(`${client}${n}`))
    const all = [1, 2, 3, 4].map((n) => wait('a', n))
    all.push(wait('b', 1), wait('b', 2), wait('c', 1))
    while (queue.admitNext(0, ANY));
    await Promise.all(all)
    assert.deepEqual(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  })

  it('puts a client that comes again behind those that wait', async () => {
    const queue = new WaitQueue<Wish, number>()
    const order: string[] = []
    const wait = (client: string): Promise<unknown> =>
      queue.wait({ ...LIMITS, client }, never()).then(() => order.push(client))
    const all = [wait('a'), wait('b'), wait('b')]
    queue.admitNext(0, ANY)
    all.push(wait('a'))
    while (queue.admitNext(0, ANY));
    await Promise.all(all)
    assert.deepEqual(order, ['a', 'b', 'a', 'b'])
  })

  it('hands a turn to the first whom it suits, and tells how many those are', async () => {
    const queue = new WaitQueue<Wish, number>()
    const turns: [string, number][] = []
    const all = ['a', 'b', 'c', 'b'].map((client) =>
      queue.wait({ ...LIMITS, client }, never()).then((turn) => turns.push([client, turn])),
    )
    const isB = ({ client }: Wish): boolean => client === 'b'
    assert.equal(queue.count(isB), 2)
    assert.equal(queue.count(ANY), 4)
    assert.deepEqual([queue.admitNext(7, isB), queue.admitNext(8, isB), queue.admitNext(9, isB)], [true, true, false])
    assert.deepEqual([queue.admitNext(1, ANY), queue.admitNext(2, ANY)], [true, true])
    await Promise.all(all)
    assert.deepEqual(turns, [
      ['b', 7],
      ['b', 8],
      ['a', 1],
      ['c', 2],
    ])
  })

  it('sends away whom it is told to, and nobody else', async () => {
    const queue = new WaitQueue<Wish, number>()
    const error = new FastCgiError('ERR_FCGI_DOWN')
    const { signal } = new AbortController()
    const refused = ['b', 'b'].map((client) => assert.rejects(queue.wait({ ...LIMITS, client }, signal), error))
    const staying = queue.wait(LIMITS, signal)
    queue.refuse(({ client }) => (client === 'b' ? error : null))
    await Promise.all(refused)
    assert.equal(queue.length, 1)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    queue.admitNext(3, ANY)
    assert.equal(await staying, 3)
  })

  it('counts the waiters of all clients against the limit', async () => {
    const queue = new WaitQueue<Wish, number>()
    const limits = { ...LIMITS, queueLimit: 2 }
    const waiting = ['a', 'b'].map((client) => queue.wait({ ...limits, client }, never()))
    await assert.rejects(queue.wait({ ...limits, client: 'c' }, never()), { code: 'ERR_FCGI_QUEUE_FULL' })
    queue.refuse(() => new FastCgiError('ERR_FCGI_DOWN'))
    for (const one of waiting) await assert.rejects(one, { code: 'ERR_FCGI_DOWN' })
  })
})
