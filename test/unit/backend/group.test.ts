import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Backend } from '../../../lib/backend/backend.ts'
import { BackendGroup } from '../../../lib/backend/group.ts'

function backend(name: string): Backend {
  return new Backend({ name, address: '127.0.0.1:9', maxConnections: 1, maxRequests: 1, idleTimeout: 1000 })
}

describe('BackendGroup', () => {
  it('puts each attempt on the next server, in the order of the file', () => {
    const [a, b] = [backend('a'), backend('b')]
    const group = new BackendGroup([a, b])
    assert.deepEqual(
      [0, 1, 2, 3].map((attempt) => group.choose(attempt).name),
      ['a', 'b', 'a', 'b'],
    )
    assert.equal(group.hasAlternative, true)
    assert.equal(new BackendGroup([a]).hasAlternative, false)
    assert.equal(new BackendGroup([a]).choose(7), a)
  })
})
