import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { phpRequest } from '../../../lib/embedded/php-request.ts'

function variables(params: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(phpRequest(new Map(Object.entries(params))).variables)
}

describe('phpRequest', () => {
  it('reads the path of the script as UTF-8', () => {
    const path = Buffer.from('/srv/é/x.php').toString('latin1')
    const request = phpRequest(new Map([['SCRIPT_FILENAME', path]]))
    assert.equal(request.script, '/srv/é/x.php')
    assert.equal(request.directory, '/srv/é')
  })

  it('has no body without a CONTENT_LENGTH, or with one that is no number', () => {
    for (const value of ['', '-1', '1e3', 'x']) {
      assert.equal(phpRequest(new Map([['CONTENT_LENGTH', value]])).contentLength, 0)
    }
    assert.equal(phpRequest(new Map([['CONTENT_LENGTH', '12']])).contentLength, 12)
  })

  it('adds PHP_SELF from SCRIPT_NAME and PATH_INFO', () => {
    assert.equal(variables({ SCRIPT_NAME: '/x.php', PATH_INFO: '/a' }).PHP_SELF, '/x.php/a')
    assert.equal(variables({ SCRIPT_NAME: '/x.php' }).PHP_SELF, '/x.php')
  })

  it('keeps what the web server says over what it would add', () => {
    assert.equal(variables({ SCRIPT_NAME: '/x.php', PHP_SELF: '/y' }).PHP_SELF, '/y')
  })

  it('takes Basic and Digest credentials apart', () => {
    const basic = (pair: string): Record<string, string> =>
      variables({ HTTP_AUTHORIZATION: `basic ${Buffer.from(pair).toString('base64')}` })
    assert.equal(basic('me:a:b').PHP_AUTH_USER, 'me')
    assert.equal(basic('me:a:b').PHP_AUTH_PW, 'a:b')
    assert.equal(basic('nobody').PHP_AUTH_USER, undefined)
    assert.equal(variables({ HTTP_AUTHORIZATION: 'Digest username="me"' }).PHP_AUTH_DIGEST, 'username="me"')
    assert.equal(variables({ HTTP_AUTHORIZATION: 'Bearer x' }).PHP_AUTH_DIGEST, undefined)
  })
})
