import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { BackPressure, type BackPressureRules } from '../../../../lib/http/answer/back-pressure.ts'
import type { ClientResponse } from '../../../../lib/http/answer/client-response.ts'

/** A backend that is held back for a client of which the test says how many bytes wait for it. */
class Scene {
  readonly calls: string[] = []
  readonly socket: { writableLength: number; _handle: { writeQueueSize: number } } = {
    writableLength: 900,
    _handle: { writeQueueSize: 600 },
  }
  readonly response: EventEmitter = new EventEmitter()
  readonly pressure: BackPressure

  constructor(rules: Partial<BackPressureRules> = {}) {
    const res = Object.assign(this.response, {
      destroyed: false,
      req: { socket: this.socket },
    }) as unknown as ClientResponse
    const source = {
      pause: () => void this.calls.push('pause'),
      resume: () => void this.calls.push('resume'),
      stalled: () => void this.calls.push('stalled'),
    }
    this.pressure = new BackPressure(res, source, { limit: 0, clientTimeout: 1000, ...rules })
    this.pressure.wrote(1500, false)
  }
}

test('gives a client up that takes nothing for clientTimeout', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { calls } = new Scene()
  t.mock.timers.tick(999)
  assert.deepEqual(calls, ['pause'])
  t.mock.timers.tick(1)
  assert.deepEqual(calls, ['pause', 'stalled'])
})

test('waits on for a client that takes a byte now and then, also of one long write', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { calls, socket } = new Scene()
  for (let byte = 0; byte < 100; byte += 1) {
    t.mock.timers.tick(999)
    socket._handle.writeQueueSize -= 1
    t.mock.timers.tick(1)
  }
  assert.deepEqual(calls, ['pause'])
  t.mock.timers.tick(1000)
  assert.deepEqual(calls, ['pause', 'stalled'])
})

test('gives nobody up while nothing waits for the client, as behind another answer or in middleware', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { calls, socket } = new Scene()
  socket.writableLength = 0
  socket._handle.writeQueueSize = 0
  for (let wait = 0; wait < 10; wait += 1) t.mock.timers.tick(1000)
  assert.deepEqual(calls, ['pause'])
})

test('gives nobody up once the client has taken all, nor after the release', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const drained = new Scene()
  drained.response.emit('drain')
  const released = new Scene()
  released.pressure.release()
  t.mock.timers.tick(100_000)
  assert.deepEqual(
    [drained.calls, released.calls],
    [
      ['pause', 'resume'],
      ['pause', 'resume'],
    ],
  )
  assert.equal(released.response.listenerCount('drain'), 0)
})

test('waits for ever without a clientTimeout', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { calls } = new Scene({ clientTimeout: 0 })
  t.mock.timers.tick(2 ** 31 - 1)
  assert.deepEqual(calls, ['pause'])
})
