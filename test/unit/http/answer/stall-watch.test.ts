import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { ClientResponse } from '../../../../lib/http/answer/client-response.ts'
import { StallWatch, unsentBytes } from '../../../../lib/http/answer/stall-watch.ts'

/** A response that was ended, with bytes that wait for its client. */
function ended(): { readonly res: ClientResponse; readonly events: EventEmitter; readonly calls: string[] } {
  const events = new EventEmitter()
  const res = Object.assign(events, {
    destroyed: false,
    req: { socket: { writableLength: 10 } },
  }) as unknown as ClientResponse
  return { res, events, calls: [] }
}

for (const event of ['finish', 'close']) {
  test(`waits for nobody once the response says ${event}, and leaves no listener`, (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { res, events, calls } = ended()
    new StallWatch(res, 1000, () => calls.push('stalled')).startUntilOut()
    t.mock.timers.tick(999)
    events.emit(event)
    t.mock.timers.tick(100_000)
    assert.deepEqual(calls, [])
    assert.deepEqual(events.eventNames(), [])
  })
}

test('gives a client up that does not take the end of its answer', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { res, calls } = ended()
  new StallWatch(res, 1000, () => calls.push('stalled')).startUntilOut()
  t.mock.timers.tick(1000)
  assert.deepEqual(calls, ['stalled'])
})

test('counts what waits above and below the socket, and for HTTP/2 in the stream', () => {
  const http1 = { destroyed: false, req: { socket: { writableLength: 10, _handle: { writeQueueSize: 5 } } } }
  const closed = { destroyed: false, req: { socket: { writableLength: 10, _handle: null } } }
  const http2 = { stream: { bufferSize: 7 }, req: {} }
  const counts = [http1, closed, http2].map((res) => unsentBytes(res as never))
  assert.deepEqual(counts, [15, 10, 7])
})
