import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { WaitQueue, type Wish } from '../../../lib/backend/wait-queue.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { staysQuiet } from '../../support/quiet-process.ts'

const LIMITS = { client: 'c', queueTimeout: 1000, queueLimit: 10 }
const ANY = (): boolean => true

type Wishing = Omit<Wish<number>, 'admit' | 'refuse'>

/** Resolves with the turn, rejects with the refusal, or when the client leaves. */
function waitIn(queue: WaitQueue<Wish<number>, number>, wishing: Wishing, leaving?: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const wish = { ...wishing, admit: resolve, refuse: reject }
    leaving?.addEventListener('abort', () => {
      queue.leave(wish)
      reject(leaving.reason)
    })
    queue.enter(wish)
  })
}

describe('WaitQueue', { timeout: 30_000 }, () => {
  staysQuiet()

  it('lets requests go on in the order in which they came', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const order: number[] = []
    const all = [1, 2, 3].map((n) => waitIn(queue, LIMITS).then(() => order.push(n)))
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
    const queue = new WaitQueue<Wish<number>, number>()
    const limits = { ...LIMITS, queueLimit: 2 }
    const waiting = [waitIn(queue, limits), waitIn(queue, limits)]
    const isFull = (error: FastCgiError): boolean =>
      error.code === 'ERR_FCGI_QUEUE_FULL' && /^2 requests wait already \(queueLimit\)/.test(error.detail)
    await assert.rejects(waitIn(queue, limits), isFull)
    assert.equal(queue.length, 2)
    queue.admitNext(0, ANY)
    waiting.push(waitIn(queue, limits))
    queue.admitNext(0, ANY)
    queue.admitNext(0, ANY)
    await Promise.all(waiting)
    await assert.rejects(waitIn(queue, { ...LIMITS, queueLimit: 0 }), { code: 'ERR_FCGI_QUEUE_FULL' })
  })

  it('sends away who has waited for too long, and only those', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const queue = new WaitQueue<Wish<number>, number>()
    const brief = waitIn(queue, { ...LIMITS, queueTimeout: 10 })
    const patient = waitIn(queue, { ...LIMITS, queueTimeout: 20 })
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
    const queue = new WaitQueue<Wish<number>, number>()
    const waiting = waitIn(queue, { ...LIMITS, queueTimeout: 0 })
    t.mock.timers.tick(2 ** 31 - 2)
    assert.equal(queue.length, 1)
    queue.admitNext(0, ANY)
    await waiting
  })

  it('lets a client that leaves out of the middle, and hears nothing more', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const abortController = new AbortController()
    const order: string[] = []
    const first = waitIn(queue, LIMITS).then(() => order.push('first'))
    const second = waitIn(queue, LIMITS, abortController.signal)
    const third = waitIn(queue, LIMITS).then(() => order.push('third'))
    const reason = new Error('gone')
    abortController.abort(reason)
    await assert.rejects(second, reason)
    assert.equal(queue.length, 2)
    queue.admitNext(0, ANY)
    queue.admitNext(0, ANY)
    await Promise.all([first, third])
    assert.deepEqual(order, ['first', 'third'])
  })

  it('is not left by who does not wait any more', () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const wish = { ...LIMITS, admit: () => undefined, refuse: () => assert.fail() }
    const other = { ...wish }
    queue.enter(wish)
    queue.enter(other)
    queue.admitNext(0, ANY)
    for (let times = 0; times < 2; times += 1) queue.leave(wish)
    assert.equal(queue.length, 1)
    queue.leave(other)
    assert.equal(queue.length, 0)
  })

  it('takes turns between clients, each in its own order', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const order: string[] = []
    const wait = (client: string, n: number): Promise<unknown> =>
      waitIn(queue, { ...LIMITS, client }).then(() => order.push(`${client}${n}`))
    const all = [1, 2, 3, 4].map((n) => wait('a', n))
    all.push(wait('b', 1), wait('b', 2), wait('c', 1))
    while (queue.admitNext(0, ANY));
    await Promise.all(all)
    assert.deepEqual(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  })

  it('puts a client that comes again behind those that wait', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const order: string[] = []
    const wait = (client: string): Promise<unknown> =>
      waitIn(queue, { ...LIMITS, client }).then(() => order.push(client))
    const all = [wait('a'), wait('b'), wait('b')]
    queue.admitNext(0, ANY)
    all.push(wait('a'))
    while (queue.admitNext(0, ANY));
    await Promise.all(all)
    assert.deepEqual(order, ['a', 'b', 'a', 'b'])
  })

  it('hands a turn to the first whom it suits, and tells how many those are', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const turns: [string, number][] = []
    const all = ['a', 'b', 'c', 'b'].map((client) =>
      waitIn(queue, { ...LIMITS, client }).then((turn) => turns.push([client, turn])),
    )
    const isB = ({ client }: Wishing): boolean => client === 'b'
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
    const queue = new WaitQueue<Wish<number>, number>()
    const error = new FastCgiError('ERR_FCGI_DOWN')
    const refused = ['b', 'b'].map((client) => assert.rejects(waitIn(queue, { ...LIMITS, client }), error))
    const staying = waitIn(queue, LIMITS)
    queue.refuse(({ client }) => (client === 'b' ? error : null))
    await Promise.all(refused)
    assert.equal(queue.length, 1)
    queue.admitNext(3, ANY)
    assert.equal(await staying, 3)
  })

  it('refuses the last of a client that fills it rather than one of a client that has fewer', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const limits = { ...LIMITS, queueLimit: 4 }
    const order: string[] = []
    const wait = (client: string, n: number): Promise<unknown> =>
      waitIn(queue, { ...limits, client }).then(
        () => order.push(`${client}${n}`),
        ({ code }: FastCgiError) => order.push(`${client}${n} ${code}`),
      )
    const greedy = [1, 2, 3, 4].map((n) => wait('greedy', n))
    const others = [wait('modest', 1), wait('modest', 2), wait('other', 1), wait('greedy', 5)]
    await new Promise(setImmediate)
    // The fifth of the greedy one finds no client that has more than it would have.
    assert.deepEqual(order, [
      'greedy4 ERR_FCGI_QUEUE_FULL',
      'greedy3 ERR_FCGI_QUEUE_FULL',
      'greedy2 ERR_FCGI_QUEUE_FULL',
      'greedy5 ERR_FCGI_QUEUE_FULL',
    ])
    assert.equal(queue.length, 4)
    while (queue.admitNext(0, ANY));
    await Promise.all([...greedy, ...others])
    assert.deepEqual(order.slice(4), ['greedy1', 'modest1', 'other1', 'modest2'])
  })

  it('counts the waiters of all clients against the limit', async () => {
    const queue = new WaitQueue<Wish<number>, number>()
    const limits = { ...LIMITS, queueLimit: 2 }
    const waiting = ['a', 'b'].map((client) => waitIn(queue, { ...limits, client }))
    await assert.rejects(waitIn(queue, { ...limits, client: 'c' }), { code: 'ERR_FCGI_QUEUE_FULL' })
    queue.refuse(() => new FastCgiError('ERR_FCGI_DOWN'))
    for (const one of waiting) await assert.rejects(one, { code: 'ERR_FCGI_DOWN' })
  })
})
