import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, it } from 'node:test'
import { parseRequestCommand, requestParams } from '../../../lib/cli/request.ts'
import { UsageError } from '../../../lib/cli/usage.ts'
import { OptionError } from '../../../lib/index.ts'

function params(...args: string[]): Record<string, string> {
  return requestParams(parseRequestCommand(['/run/php.sock', ...args]))
}

describe('parseRequestCommand', () => {
  it('reads an address and a script', () => {
    assert.deepEqual(parseRequestCommand(['127.0.0.1:9000', '/srv/www/index.php']), {
      address: '127.0.0.1:9000',
      script: '/srv/www/index.php',
      query: '',
      method: 'GET',
      params: [],
      body: undefined,
      timeout: 60_000,
    })
  })

  it('splits the query off at the first question mark', () => {
    const { script, query } = parseRequestCommand(['a:1', '/x.php?a=1?b=2'])
    assert.deepEqual([script, query], ['/x.php', 'a=1?b=2'])
  })

  it('takes a relative script from the working directory', () => {
    assert.equal(parseRequestCommand(['a:1', 'x.php']).script, resolve('x.php'))
  })

  it('posts a body unless told otherwise', () => {
    assert.equal(parseRequestCommand(['a:1', '/x.php', '--body', '-']).method, 'POST')
    assert.equal(parseRequestCommand(['a:1', '/x.php', '--body', '-', '--method', 'PUT']).method, 'PUT')
  })

  it('reads times as configuration does', () => {
    assert.equal(parseRequestCommand(['--timeout', '500ms', 'a:1', '/x.php']).timeout, 500)
    assert.equal(parseRequestCommand(['--timeout=2m', 'a:1', '/x.php']).timeout, 120_000)
    assert.equal(parseRequestCommand(['--timeout=none', 'a:1', '/x.php']).timeout, 0)
  })

  it('keeps what stands behind the first equals sign of a parameter', () => {
    assert.deepEqual(parseRequestCommand(['--param', 'A=b=c', '--param=D=', 'a:1', '/x.php']).params, [
      ['A', 'b=c'],
      ['D', ''],
    ])
  })

  for (const [args, message] of [
    [[], /give the ADDRESS/],
    [['a:1'], /give a SCRIPT behind the address a:1/],
    [['a:1', '/x.php', '/y.php'], /no place for \/y\.php/],
    [['a:1', '/x.php', '--param', 'A'], /NAME=VALUE, found "A"/],
    [['a:1', '/x.php', '--param', '=A'], /NAME=VALUE, found "=A"/],
    [['a:1', '/x.php', '--header', 'A'], /--header/],
  ] as const) {
    it(`refuses [${args.join(' ')}]`, () => {
      assert.throws(
        () => parseRequestCommand(args),
        (error) => error instanceof UsageError && message.test(error.message),
      )
    })
  }

  it('refuses an address or a time that is none', () => {
    assert.throws(() => parseRequestCommand(['nowhere', '/x.php']), OptionError)
    assert.throws(() => parseRequestCommand(['--timeout', 'soon', 'a:1', '/x.php']), OptionError)
  })
})

describe('requestParams', () => {
  it('says everything that php-fpm and its scripts need', () => {
    assert.deepEqual(params('/srv/www/blog/index.php?p=1'), {
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'express-fastcgi',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'localhost',
      SERVER_ADDR: '127.0.0.1',
      SERVER_PORT: '80',
      REMOTE_ADDR: '127.0.0.1',
      REQUEST_SCHEME: 'http',
      HTTP_HOST: 'localhost',
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/index.php?p=1',
      QUERY_STRING: 'p=1',
      SCRIPT_NAME: '/index.php',
      SCRIPT_FILENAME: '/srv/www/blog/index.php',
      DOCUMENT_URI: '/index.php',
      DOCUMENT_ROOT: '/srv/www/blog',
      REDIRECT_STATUS: '200',
    })
  })

  it('calls a body a form', () => {
    assert.equal(params('/x.php').CONTENT_TYPE, undefined)
    assert.equal(params('/x.php', '--body', 'form.txt').CONTENT_TYPE, 'application/x-www-form-urlencoded')
  })

  it('lets --param have the last word, and leave a variable out', () => {
    const { SCRIPT_NAME, HTTP_COOKIE, HTTP_HOST } = params(
      ...['/x.php', '--param', 'SCRIPT_NAME=/y', '--param', 'HTTP_COOKIE=a=1', '--param', 'HTTP_HOST='],
    )
    assert.deepEqual([SCRIPT_NAME, HTTP_COOKIE, HTTP_HOST], ['/y', 'a=1', undefined])
  })
})
