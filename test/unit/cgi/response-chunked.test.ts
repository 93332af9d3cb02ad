import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isChunkCoded } from '../../../lib/cgi/chunked-coding.ts'

describe('isChunkCoded', () => {
  it('knows the size line of a chunk', () => {
    for (const body of ['0\r\n', '1f\r\nabc', 'A;x=y\r\n', '5 \r\nhello'])
      assert.equal(isChunkCoded(Buffer.from(body)), true, body)
  })

  it('knows what is none', () => {
    for (const body of ['<html>', '5\nhello', 'hello', '12345678901234567\r\n', '\r\n', `5;${'x'.repeat(300)}`]) {
      assert.equal(isChunkCoded(Buffer.from(body)), false, body)
    }
  })

  it('waits while it cannot tell', () => {
    for (const body of ['', '5', '5\r', 'ab;x', 'ab ']) assert.equal(isChunkCoded(Buffer.from(body)), undefined, body)
  })
})
