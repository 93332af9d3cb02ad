import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { ByteRing, ringMemory } from '../../../lib/embedded/byte-ring.ts'

const silent = (): void => undefined

/** The other end, as a thread: takes all when the ring is full. JavaScript, because threads of Node 20 know no TypeScript. */
const READER = `
const { workerData } = require('node:worker_threads')
const control = new Int32Array(workerData, 0, 4)
while (Atomics.load(control, 0) < 8) Atomics.wait(control, 3, 0, 1)
Atomics.store(control, 1, 8)
Atomics.notify(control, 1)
`

describe('ByteRing', () => {
  it('gives what was written, once', () => {
    const ring = new ByteRing(ringMemory(16))
    assert.equal(ring.read(), null)
    assert.equal(ring.write(Buffer.from('abc'), silent), true)
    assert.equal(ring.write(Buffer.from('def'), silent), true)
    assert.equal(ring.read()?.toString(), 'abcdef')
    assert.equal(ring.read(), null)
  })

  it('keeps every byte in order around its end', () => {
    const ring = new ByteRing(ringMemory(64))
    const sent = randomBytes(5000)
    const received: Buffer[] = []
    for (let at = 0, step = 1; at < sent.length; at += step, step = (step % 64) + 1) {
      ring.write(sent.subarray(at, at + step), silent)
      received.push(ring.read() ?? Buffer.alloc(0))
    }
    assert.deepEqual(Buffer.concat(received), sent)
  })

  it('goes on where its counters wrap', () => {
    const memory = ringMemory(16)
    new Int32Array(memory, 0, 2).fill(0x7ffffffa)
    const ring = new ByteRing(memory)
    for (let round = 0; round < 10; round++) {
      ring.write(Buffer.from('0123456789'), silent)
      assert.equal(ring.read()?.toString(), '0123456789')
    }
  })

  it('wakes its reader once for many writes, and again after a read', () => {
    const ring = new ByteRing(ringMemory(64))
    let wakes = 0
    const wake = (): void => {
      wakes += 1
    }
    for (let time = 0; time < 5; time++) ring.write(Buffer.from('x'), wake)
    assert.equal(wakes, 1)
    ring.read()
    ring.write(Buffer.from('x'), wake)
    assert.equal(wakes, 2)
  })

  it('holds its writer until there is room', async () => {
    const memory = ringMemory(8)
    const reader = new Worker(READER, { eval: true, workerData: memory })
    await once(reader, 'online')
    const ring = new ByteRing(memory)
    ring.write(Buffer.from('12345678'), silent)
    ring.write(Buffer.from('9'), silent)
    assert.equal(ring.read()?.toString(), '9')
    await reader.terminate()
  })

  it('tells its writer when nobody reads, and drops what was there, until it is reset', () => {
    const ring = new ByteRing(ringMemory(8))
    ring.write(Buffer.from('12345678'), silent)
    ring.close()
    assert.equal(ring.write(Buffer.from('9'), silent), false)
    assert.equal(ring.read(), null)
    ring.reset()
    assert.equal(ring.write(Buffer.from('9'), silent), true)
    assert.equal(ring.read()?.toString(), '9')
  })

  it('refuses a capacity that is no power of two', () => {
    assert.throws(() => ringMemory(100), RangeError)
  })
})
