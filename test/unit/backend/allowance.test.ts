import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fixedAllowance } from '../../../lib/backend/allowance.ts'

describe('fixedAllowance()', () => {
  it('is all of maxConnections, whoever wants more', () => {
    const allowance = fixedAllowance(64)
    allowance.want()
    allowance.released()
    assert.equal(allowance.limit, 64)
  })

  it('is another at once when maxConnections is', () => {
    const allowance = fixedAllowance(64)
    allowance.resize(8)
    assert.equal(allowance.limit, 8)
  })

  it('is a part of maxConnections where one is told, then and later', () => {
    const allowance = fixedAllowance(64, (total) => total / 4)
    assert.equal(allowance.limit, 16)
    allowance.resize(8)
    assert.equal(allowance.limit, 2)
  })

  it('outlives its pool, which may close twice', () => {
    const allowance = fixedAllowance(64)
    allowance.close()
    allowance.close()
    assert.equal(allowance.limit, 64)
  })
})
