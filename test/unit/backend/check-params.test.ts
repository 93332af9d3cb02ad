import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkParams } from '../../../lib/backend/check-params.ts'

/** The variables that name what is asked for. */
function names(ping: string | null, script: string | null): readonly (string | undefined)[] {
  const params = checkParams({ ping, script })
  return ['SCRIPT_FILENAME', 'SCRIPT_NAME', 'REQUEST_URI', 'DOCUMENT_ROOT'].map((name) => params.get(name))
}

describe('checkParams', () => {
  it("names php-fpm's page alike in all variables, whichever it compares", () => {
    assert.deepEqual(names('/ping', null), ['/ping', '/ping', '/ping', undefined])
    assert.deepEqual(names('/fpm/ping', null), ['/fpm/ping', '/fpm/ping', '/fpm/ping', undefined])
  })

  it('asks for a script by its path, under its name alone', () => {
    assert.deepEqual(names(null, '/srv/app/health.php'), [
      '/srv/app/health.php',
      '/health.php',
      '/health.php',
      '/srv/app',
    ])
    assert.deepEqual(names(null, '/health.php'), ['/health.php', '/health.php', '/health.php', undefined])
    assert.deepEqual(names(null, 'health.php'), ['health.php', '/health.php', '/health.php', undefined])
  })

  it("takes another system's paths", () => {
    const expected = ['C:\\www\\health.php', '/health.php', '/health.php', 'C:\\www']
    assert.deepEqual(names(null, 'C:\\www\\health.php'), expected)
  })

  it('sends bytes: UTF-8 in paths, escapes in the URI', () => {
    const [file, name, uri] = names(null, '/srv/säge 1.php')
    assert.deepEqual([file, name, uri], ['/srv/s\xc3\xa4ge 1.php', '/s\xc3\xa4ge 1.php', '/s%C3%A4ge%201.php'])
    assert.equal(names(null, '/\ud800.php')[2], '/%EF%BF%BD.php')
  })

  it('is a GET without query or body, that CGI programs with redirect checks take too', () => {
    const params = checkParams({ ping: '/ping', script: null })
    assert.equal(params.get('REQUEST_METHOD'), 'GET')
    assert.equal(params.get('QUERY_STRING'), '')
    assert.equal(params.get('REDIRECT_STATUS'), '200')
    assert.equal(params.has('CONTENT_LENGTH'), false)
    assert.match(params.get('HTTP_USER_AGENT') ?? '', /^express-fastcgi\/[\d.]+ health check$/)
  })
})
