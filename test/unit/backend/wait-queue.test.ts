import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { WaitQueue } from '../../../lib/backend/wait-queue.ts'
import type { FastCgiError } from '../../../lib/errors.ts'
import { staysQuiet } from '../../support/quiet-process.ts'

const LIMITS = { queueTimeout: 1000, queueLimit: 10 }
const never = (): AbortSignal => new AbortController().signal

describe('WaitQueue', { timeout: 30_000 }, () => {
  staysQuiet()

  it('lets requests go on in the order in which they came', async () => {
    const queue = new WaitQueue()
    const order: number[] = []
    const all = [1, 2, 3].map((n) => queue.wait(LIMITS, never()).then(() => order.push(n)))
    assert.equal(queue.length, 3)
    assert.equal(queue.admitNext(), true)
    assert.equal(queue.length, 2)
    queue.admitNext()
    queue.admitNext()
    assert.equal(queue.admitNext(), false)
    await Promise.all(all)
    assert.deepEqual(order, [1, 2, 3])
    assert.equal(queue.length, 0)
  })

  it('refuses more than its limit, at once, and takes one again when one has left', async () => {
    const queue = new WaitQueue()
    const limits = { ...LIMITS, queueLimit: 2 }
    const waiting = [queue.wait(limits, never()), queue.wait(limits, never())]
    const isFull = (error: FastCgiError): boolean =>
      error.code === 'ERR_FCGI_QUEUE_FULL' && /^2 requests wait already \(queueLimit\)/.test(error.detail)
    await assert.rejects(queue.wait(limits, never()), isFull)
    assert.equal(queue.length, 2)
    queue.admitNext()
    waiting.push(queue.wait(limits, never()))
    queue.admitNext()
    queue.admitNext()
    await Promise.all(waiting)
    await assert.rejects(queue.wait({ ...LIMITS, queueLimit: 0 }, never()), { code: 'ERR_FCGI_QUEUE_FULL' })
  })

  it('sends away who has waited for too long, and only those', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const queue = new WaitQueue()
    const brief = queue.wait({ ...LIMITS, queueTimeout: 10 }, never())
    const patient = queue.wait({ ...LIMITS, queueTimeout: 20 }, never())
    t.mock.timers.tick(10)
    await assert.rejects(brief, (error: FastCgiError) => {
      return error.code === 'ERR_FCGI_QUEUE_TIMEOUT' && /10 ms \(queueTimeout\)/.test(error.detail)
    })
    assert.equal(queue.length, 1)
    assert.ok(queue.admitNext())
    await patient
    t.mock.timers.tick(100)
    assert.equal(queue.length, 0)
  })

  it('lets a request wait for ever with a queueTimeout of 0', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const queue = new WaitQueue()
    const waiting = queue.wait({ ...LIMITS, queueTimeout: 0 }, never())
    t.mock.timers.tick(2 ** 31 - 2)
    assert.equal(queue.length, 1)
    queue.admitNext()
    await waiting
  })

  it('lets a client that leaves out of the middle, with the reason of its signal', async () => {
    const queue = new WaitQueue()
    const abortController = new AbortController()
    const order: string[] = []
    const first = queue.wait(LIMITS, never()).then(() => order.push('first'))
    const second = queue.wait(LIMITS, abortController.signal)
    const third = queue.wait(LIMITS, never()).then(() => order.push('third'))
    const reason = new Error('gone')
    abortController.abort(reason)
    await assert.rejects(second, reason)
    assert.equal(queue.length, 2)
    queue.admitNext()
    queue.admitNext()
    await Promise.all([first, third])
    assert.deepEqual(order, ['first', 'third'])
  })

  it('does not take a client that has left already', async () => {
    const queue = new WaitQueue()
    const reason = new Error('gone')
    await assert.rejects(queue.wait(LIMITS, AbortSignal.abort(reason)), reason)
    assert.equal(queue.length, 0)
  })

  it('leaves no listener on a signal, however the waiting ended', async () => {
    const queue = new WaitQueue()
    const { signal } = new AbortController()
    const admitted = queue.wait(LIMITS, signal)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    queue.admitNext()
    await admitted
    await assert.rejects(queue.wait({ ...LIMITS, queueTimeout: 1 }, signal))
    await assert.rejects(queue.wait({ ...LIMITS, queueLimit: 0 }, signal))
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })
})
