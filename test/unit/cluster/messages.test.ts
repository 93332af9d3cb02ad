import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDealerMessage, isWorkerMessage } from '../../../lib/cluster/messages.ts'

const join = { type: 'express-fastcgi:join', holder: 'a', key: '/run/php.sock', total: 8, held: 0 }
const grant = { type: 'express-fastcgi:grant', holder: 'a', places: 2 }

describe('isWorkerMessage() and isDealerMessage()', () => {
  it('take the messages of their own side', () => {
    assert.deepEqual([isWorkerMessage(join), isDealerMessage(join)], [true, false])
    assert.deepEqual([isWorkerMessage(grant), isDealerMessage(grant)], [false, true])
    assert.equal(isDealerMessage({ type: 'express-fastcgi:deal' }), true)
  })

  const strange: readonly unknown[] = [
    ...[undefined, null, 7, 'express-fastcgi:grant', [], {}, { type: 7 }, { type: null }],
    ...[{ type: 'constructor' }, { type: 'toString' }, { type: 'express-fastcgi:other', holder: 'a', places: 2 }],
    ...[
      { ...grant, holder: 1 },
      { ...grant, holder: undefined },
      { type: grant.type, places: 2 },
    ],
    ...[-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '2', null, undefined].map((places) => ({ ...grant, places })),
    ...[
      { ...join, key: 1 },
      { ...join, total: '8' },
      { ...join, held: -1 },
    ],
  ]
  for (const message of strange) {
    it(`leave ${JSON.stringify(message)} alone`, () => {
      assert.deepEqual([isWorkerMessage(message), isDealerMessage(message)], [false, false])
    })
  }
})
