import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseField } from '../../../../lib/cgi/response-fields.ts'
import { endToEndFields } from '../../../../lib/http/answer/hop-by-hop.ts'

function pass(lines: readonly string[], rules: { hide?: readonly string[]; pass?: readonly string[] } = {}): string[] {
  const sets = { hideHeaders: new Set(rules.hide ?? []), passHeaders: new Set(rules.pass ?? []) }
  return endToEndFields(lines.map(parseField), sets).map(({ name, value }) => `${name}: ${value}`)
}

describe('endToEndFields', () => {
  it('passes what is meant for the client, in order', () => {
    const lines = ['Content-Type: text/html', 'Set-Cookie: a=1', 'X-Powered-By: PHP/8.2', 'Set-Cookie: b=2']
    assert.deepEqual(pass(lines), lines)
  })

  it('drops what is about a connection', () => {
    const dropped = ['Connection', 'Keep-Alive', 'Upgrade', 'Trailer', 'Transfer-Encoding', 'TE', 'HTTP2-Settings']
    const proxy = ['Proxy-Connection', 'Proxy-Authenticate', 'PROXY-whatever']
    assert.deepEqual(pass([...dropped, ...proxy].map((name) => `${name}: close`)), [])
  })

  it('drops what Connection names', () => {
    assert.deepEqual(
      pass(['Connection: close, X-Hop', 'connection: x-other', 'X-Hop: 1', 'X-Other: 2', 'X-Third: 3']),
      ['X-Third: 3'],
    )
  })

  it('lets Connection take away nothing that matters', () => {
    const kept = [
      'Content-Type: text/html',
      'Content-Length: 3',
      'Content-Security-Policy: default-src',
      'Set-Cookie: a=1',
      'Location: /',
      'Cache-Control: private',
      'Strict-Transport-Security: max-age=1',
      'X-Frame-Options: DENY',
      'Access-Control-Allow-Origin: null',
      'Vary: Cookie',
      'WWW-Authenticate: Basic',
    ]
    const named = kept.map((line) => line.slice(0, line.indexOf(':'))).join(', ')
    assert.deepEqual(pass([`Connection: ${named}`, ...kept]), kept)
  })

  it('keeps X-Accel-* to itself unless it is passed', () => {
    const lines = ['X-Accel-Redirect: /x', 'X-Accel-Buffering: no', 'X-Accel-Anything: 1']
    assert.deepEqual(pass(lines), [])
    assert.deepEqual(pass(lines, { pass: ['x-accel-buffering'] }), ['X-Accel-Buffering: no'])
  })

  it('hides what the location hides, and passing wins', () => {
    const lines = ['X-Powered-By: PHP', 'Server: x', 'X-A: 1']
    assert.deepEqual(pass(lines, { hide: ['x-powered-by', 'server'] }), ['X-A: 1'])
    assert.deepEqual(pass(lines, { hide: ['x-powered-by', 'server'], pass: ['server'] }), ['Server: x', 'X-A: 1'])
  })

  it('passes no header of the connection, whatever passHeaders says', () => {
    assert.deepEqual(
      pass(['Transfer-Encoding: chunked', 'Connection: close'], { pass: ['transfer-encoding', 'connection'] }),
      [],
    )
  })
})
