import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FileLocks, type LockMode } from '../../../lib/embedded/file-locks.ts'

type Asked = 'granted' | 'refused' | 'waiting'

/** The locks, asked in words. */
function table(): {
  whole(thread: number, mode: LockMode, wait?: boolean): () => Asked
  range(thread: number, mode: LockMode, bytes: readonly [number, number], ask?: boolean): Asked
  release(thread: number): void
} {
  const locks = new FileLocks()
  const ask = (thread: number, request: Parameters<FileLocks['request']>[1]): (() => Asked) => {
    let answer: Asked = 'waiting'
    locks.request(thread, request, (granted) => {
      answer = granted ? 'granted' : 'refused'
    })
    return () => answer
  }
  return {
    whole: (thread, mode, wait = false) => ask(thread, { kind: 'whole', file: 'f', descriptor: 9, mode, wait }),
    range: (thread, mode, [start, end], test = false) =>
      ask(thread, { kind: 'range', file: 'f', start, end, mode, wait: false, ask: test })(),
    release: (thread) => locks.releaseThread(thread),
  }
}

describe('FileLocks', () => {
  it('grants many shared locks, or one exclusive', () => {
    const locks = table()
    assert.equal(locks.whole(1, 'shared')(), 'granted')
    assert.equal(locks.whole(2, 'shared')(), 'granted')
    assert.equal(locks.whole(3, 'exclusive')(), 'refused')
    locks.whole(1, 'none')
    locks.whole(2, 'none')
    assert.equal(locks.whole(3, 'exclusive')(), 'granted')
    assert.equal(locks.whole(1, 'shared')(), 'refused')
  })

  it('lets the waiting in, in order, when the lock is given back', () => {
    const locks = table()
    locks.whole(1, 'exclusive')
    const second = locks.whole(2, 'exclusive', true)
    const third = locks.whole(3, 'exclusive', true)
    assert.deepEqual([second(), third()], ['waiting', 'waiting'])
    locks.whole(1, 'none')
    assert.deepEqual([second(), third()], ['granted', 'waiting'])
    locks.release(2)
    assert.equal(third(), 'granted')
  })

  it('lets several that share in at once', () => {
    const locks = table()
    locks.whole(1, 'exclusive')
    const waiting = [2, 3, 4].map((thread) => locks.whole(thread, 'shared', true))
    locks.whole(1, 'none')
    assert.deepEqual(
      waiting.map((asked) => asked()),
      ['granted', 'granted', 'granted'],
    )
  })

  it('forgets a thread that waits when it ends', () => {
    const locks = table()
    locks.whole(1, 'exclusive')
    const second = locks.whole(2, 'exclusive', true)
    locks.release(2)
    locks.release(1)
    assert.equal(second(), 'waiting')
    assert.equal(locks.whole(3, 'exclusive')(), 'granted')
  })

  it('locks ranges of bytes apart, and those of one thread over one another', () => {
    const locks = table()
    assert.equal(locks.range(1, 'exclusive', [0, 10]), 'granted')
    assert.equal(locks.range(2, 'exclusive', [10, 20]), 'granted')
    assert.equal(locks.range(2, 'shared', [9, 10]), 'refused')
    assert.equal(locks.range(1, 'shared', [0, 10]), 'granted')
    assert.equal(locks.range(2, 'shared', [9, 10]), 'granted')
  })

  it('gives back the middle of a range', () => {
    const locks = table()
    locks.range(1, 'exclusive', [0, Number.POSITIVE_INFINITY])
    locks.range(1, 'none', [10, 20])
    assert.equal(locks.range(2, 'exclusive', [10, 20]), 'granted')
    assert.equal(locks.range(2, 'exclusive', [9, 10]), 'refused')
    assert.equal(locks.range(2, 'exclusive', [1000, 1001]), 'refused')
  })

  it('answers a question without a change', () => {
    const locks = table()
    assert.equal(locks.range(1, 'exclusive', [0, 10], true), 'granted')
    assert.equal(locks.range(2, 'exclusive', [0, 10]), 'granted')
    assert.equal(locks.range(1, 'exclusive', [0, 10], true), 'refused')
  })

  it('keeps flock and fcntl apart, as Linux does', () => {
    const locks = table()
    locks.whole(1, 'exclusive')
    assert.equal(locks.range(2, 'exclusive', [0, 10]), 'granted')
  })
})
