import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatHead } from '../../../lib/responder/head.ts'

describe('formatHead', () => {
  it('writes the status, a line for each value, and an empty line', () => {
    assert.equal(
      formatHead(404, { 'Content-Type': 'text/plain', 'Set-Cookie': ['a=1', 'b=2'], 'Content-Length': 3 }),
      'Status: 404\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\n',
    )
  })

  it('writes a status alone', () => {
    assert.equal(formatHead(204, {}), 'Status: 204\r\n\r\n')
  })

  it('keeps bytes from 0x80 on and tabs', () => {
    assert.equal(formatHead(200, { X: 'caf\xe9\t' }), 'Status: 200\r\nX: caf\xe9\t\r\n\r\n')
  })

  for (const [what, status, fields] of [
    ['a status that is none', 600, {}],
    ['a status that is no whole number', 200.5, {}],
    ['CR LF in a value', 200, { X: 'a\r\nSet-Cookie: b' }],
    ['NUL in a value', 200, { X: 'a\0' }],
    ['a value that is no byte string', 200, { X: '\u20ac' }],
    ['a bad value among good ones', 200, { X: ['a', 'b\n'] }],
    ['a name with a colon', 200, { 'X:': 'a' }],
    ['an empty name', 200, { '': 'a' }],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => formatHead(status, fields), { code: 'ERR_FCGI_BAD_RESPONSE' })
    })
  }
})
