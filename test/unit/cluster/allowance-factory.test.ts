import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AllowanceUser } from '../../../lib/backend/allowance.ts'
import { createAllowanceFactory } from '../../../lib/cluster/allowance-factory.ts'

const user: AllowanceUser = {
  busy: 0,
  idle: 0,
  waiting: 0,
  grown: () => assert.fail('nothing is dealt here'),
  shrunk: () => assert.fail('nothing is dealt here'),
}

function warn(message: string): void {
  assert.fail(message)
}

describe('createAllowanceFactory()', () => {
  it('gives a process that is no worker the whole', () => {
    const listeners = process.listenerCount('message')
    const create = createAllowanceFactory(null, warn)
    assert.equal(create('127.0.0.1:9000', 64, user).limit, 64)
    assert.equal(process.listenerCount('message'), listeners)
  })

  for (const [workers, total, share] of [
    [1, 64, 64],
    [4, 64, 16],
    [3, 64, 21],
    [64, 64, 1],
  ] as const) {
    it(`gives each of ${workers} processes ${share} of ${total}`, () => {
      assert.equal(createAllowanceFactory(workers, warn)('127.0.0.1:9000', total, user).limit, share)
    })
  }

  it('divides another total as well', () => {
    const allowance = createAllowanceFactory(4, warn)('127.0.0.1:9000', 64, user)
    allowance.resize(9)
    assert.equal(allowance.limit, 2)
  })

  it('refuses more processes than connections, and says what mends it', () => {
    const create = createAllowanceFactory(8, warn)
    const refused = {
      name: 'OptionError',
      message:
        'workers: 8 processes cannot share the 3 connections of maxConnections to 127.0.0.1:9000, some would get none; ' +
        'give it maxConnections of 8 or more, or run fewer processes',
    }
    assert.throws(() => create('127.0.0.1:9000', 3, user), refused)
    const allowance = create('127.0.0.1:9000', 8, user)
    assert.throws(() => allowance.resize(3), refused)
    assert.equal(allowance.limit, 1)
  })
})
