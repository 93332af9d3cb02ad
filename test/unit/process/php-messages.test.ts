import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { RepeatedMessages } from '../../../lib/process/php-messages.ts'

describe('RepeatedMessages', () => {
  it('includes what scripts have logged, with the lines behind it, and nothing else', async () => {
    const repeated = new RepeatedMessages()
    const lines = ['WARNING: something of its own', 'PHP message: PHP Fatal error:  no', 'Stack trace:', '#0 {main}']
    assert.deepEqual(
      lines.map((line) => repeated.includes(line)),
      [false, true, true, true],
    )
    await turn()
    assert.equal(repeated.includes('to php://stderr'), false)
  })
})
