import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PhpHead } from '../../../lib/embedded/php-head.ts'
import { splitsOf } from '../../support/splits.ts'

const HEAD = '{ "status": 404, "headers": ["Set-Cookie: a=\\"1\\\\\\"",\n"Set-Cookie: b\xe9\t",\n"__terminator__"]}'

describe('PhpHead', () => {
  it("gives CGI's form of the head with the piece that completes it, at every split", () => {
    for (const { pieces } of splitsOf(Buffer.from(HEAD, 'latin1'))) {
      const head = new PhpHead()
      const given = pieces.map((piece) => head.add(piece)).filter((text) => text !== null)
      assert.deepEqual(given, ['Status: 404\r\nSet-Cookie: a="1\\"\r\nSet-Cookie: b\xe9\t\r\n\r\n'])
    }
  })

  it('says nothing of a 200, as php-fpm', () => {
    const head = new PhpHead()
    assert.equal(head.add(Buffer.from('{ "status": 200, "headers": ["A: b",\n"__terminator__"]}')), 'A: b\r\n\r\n')
  })

  it('takes the next head after one', () => {
    const head = new PhpHead()
    for (let time = 0; time < 2; time++) assert.notEqual(head.add(Buffer.from(HEAD, 'latin1')), null)
  })

  it('refuses a head of another form', () => {
    assert.throws(() => new PhpHead().add(Buffer.from('{ "status": "x", "headers": ["__terminator__"]}')), TypeError)
  })
})
