import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { applyParams, buildEnvironment, type Environment, SERVER_SOFTWARE } from '../../../lib/cgi/environment.ts'
import type { RequestFacts } from '../../../lib/cgi/facts.ts'
import { Variables } from '../../../lib/cgi/variables.ts'
import { factsOf } from '../../support/facts.ts'

const script = { scriptName: '/index.php', pathInfo: '', scriptFilename: '/srv/index.php', documentRoot: '/srv' }
const noBody = { contentLength: null, contentType: undefined, dropContentEncoding: false }

function environmentOf(given: Partial<RequestFacts> = {}, url = '/index.php'): Environment {
  return buildEnvironment({ facts: factsOf(url, given), script, body: noBody })
}

/** Headers as other middleware may leave them. */
function headersOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const all = environmentOf({ host: undefined, headers: headers as RequestFacts['headers'] })
  return Object.fromEntries([...all].filter(([name]) => name.startsWith('HTTP_')))
}

test('has the whole environment of a plain request', () => {
  assert.deepEqual(Object.fromEntries(environmentOf({}, '/index.php?a=1')), {
    SCRIPT_FILENAME: '/srv/index.php',
    SCRIPT_NAME: '/index.php',
    DOCUMENT_URI: '/index.php',
    DOCUMENT_ROOT: '/srv',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: '/index.php?a=1',
    QUERY_STRING: 'a=1',
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: SERVER_SOFTWARE,
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_SCHEME: 'http',
    SERVER_NAME: 'example.com',
    SERVER_PORT: '80',
    SERVER_ADDR: '127.0.0.1',
    REMOTE_ADDR: '192.0.2.7',
    REMOTE_PORT: '40000',
    REDIRECT_STATUS: '200',
    HTTP_HOST: 'example.com',
  })
})

test('names the version of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  assert.equal(SERVER_SOFTWARE, `express-fastcgi/${version}`)
})

test('puts the mount, decoded, before the script', () => {
  const facts = factsOf('/index.php/a%20b', { mount: '/caf%C3%A9', target: '/caf%C3%A9/index.php/a%20b' })
  const environment = buildEnvironment({ facts, script: { ...script, pathInfo: '/a b' }, body: noBody })
  assert.equal(environment.get('SCRIPT_NAME'), '/caf\xc3\xa9/index.php')
  assert.equal(environment.get('PATH_INFO'), '/a b')
  assert.equal(environment.get('DOCUMENT_URI'), '/caf\xc3\xa9/index.php/a b')
  assert.equal(environment.get('REQUEST_URI'), '/caf%C3%A9/index.php/a%20b')
  assert.equal(environment.get('SCRIPT_FILENAME'), '/srv/index.php')
  assert.equal(environment.has('PATH_TRANSLATED'), false)
})

test('describes a body that is there', () => {
  const body = { contentLength: 0, contentType: 'text/plain', dropContentEncoding: true }
  const facts = factsOf('/', { headers: { 'content-encoding': 'gzip', 'content-length': '99', 'content-type': 'a/b' } })
  const environment = buildEnvironment({ facts, script, body })
  assert.equal(environment.get('CONTENT_LENGTH'), '0')
  assert.equal(environment.get('CONTENT_TYPE'), 'text/plain')
  for (const name of ['HTTP_CONTENT_ENCODING', 'HTTP_CONTENT_LENGTH', 'HTTP_CONTENT_TYPE']) {
    assert.equal(environment.has(name), false)
  }
  const kept = buildEnvironment({ facts, script, body: { ...body, dropContentEncoding: false } })
  assert.equal(kept.get('HTTP_CONTENT_ENCODING'), 'gzip')
})

test('says nothing of a body, a port, an address or a root that is not there', () => {
  const facts = factsOf('/', { remotePort: '', serverAddress: '', remoteAddress: '', host: undefined })
  const environment = buildEnvironment({ facts, script: { ...script, documentRoot: '' }, body: noBody })
  for (const name of [
    'CONTENT_LENGTH',
    'CONTENT_TYPE',
    'REMOTE_PORT',
    'SERVER_ADDR',
    'DOCUMENT_ROOT',
    'PATH_INFO',
    'HTTP_HOST',
    'HTTPS',
  ]) {
    assert.equal(environment.has(name), false, name)
  }
  assert.equal(environment.get('REMOTE_ADDR'), '')
  assert.equal(environment.get('QUERY_STRING'), '')
})

test('says HTTPS for https alone', () => {
  assert.equal(environmentOf({ scheme: 'https' }).get('HTTPS'), 'on')
  assert.equal(environmentOf({ scheme: 'https' }).get('REQUEST_SCHEME'), 'https')
  assert.equal(environmentOf().has('HTTPS'), false)
})

test('has the variables of TLS, those of the client only when it was verified', () => {
  const tls = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', client: undefined }
  const unverified = environmentOf({ scheme: 'https', tls })
  assert.equal(unverified.get('SSL_PROTOCOL'), 'TLSv1.3')
  assert.equal(unverified.get('SSL_CIPHER'), 'TLS_AES_256_GCM_SHA384')
  assert.deepEqual(
    [...unverified.keys()].filter((name) => name.startsWith('SSL_CLIENT')),
    [],
  )
  const client = {
    subject: 'CN=Zoë,O=Example',
    issuer: 'CN=CA',
    commonName: 'Zoë',
    serial: '0A',
    validFrom: 'Feb  1 00:00:00 2026 GMT',
    validTo: 'Feb  1 00:00:00 2036 GMT',
  }
  const verified = environmentOf({ scheme: 'https', tls: { ...tls, client } })
  assert.deepEqual(Object.fromEntries([...verified].filter(([name]) => name.startsWith('SSL_CLIENT'))), {
    SSL_CLIENT_VERIFY: 'SUCCESS',
    SSL_CLIENT_S_DN: 'CN=Zo\xc3\xab,O=Example',
    SSL_CLIENT_I_DN: 'CN=CA',
    SSL_CLIENT_S_DN_CN: 'Zo\xc3\xab',
    SSL_CLIENT_M_SERIAL: '0A',
    SSL_CLIENT_V_START: 'Feb  1 00:00:00 2026 GMT',
    SSL_CLIENT_V_END: 'Feb  1 00:00:00 2036 GMT',
  })
  const nameless = environmentOf({ tls: { ...tls, client: { ...client, commonName: undefined } } })
  assert.equal(nameless.has('SSL_CLIENT_S_DN_CN'), false)
})

test('passes headers, bytes as they are', () => {
  assert.deepEqual(
    headersOf({ 'x-name': 'caf\xc3\xa9', cookie: 'a=1; b=2', accept: 'a, b', authorization: 'Basic eA==' }),
    {
      HTTP_X_NAME: 'caf\xc3\xa9',
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_ACCEPT: 'a, b',
      HTTP_AUTHORIZATION: 'Basic eA==',
    },
  )
})

test('takes the host from the facts, never from the header alone', () => {
  assert.equal(environmentOf({ host: 'a.example', headers: { host: 'b.example' } }).get('HTTP_HOST'), 'a.example')
  assert.deepEqual(headersOf({ host: 'b.example' }), {})
})

test('joins what came as an array', () => {
  assert.deepEqual(headersOf({ 'set-cookie': ['a', 'b'], cookie: ['c=1', 'd=2'] }), {
    HTTP_SET_COOKIE: 'a, b',
    HTTP_COOKIE: 'c=1; d=2',
  })
})

test('makes text of what other middleware has set, or leaves it out', () => {
  const odd = { 'x-n': 7, 'x-b': true, 'x-u': undefined, 'x-null': null, 'x-o': { a: 1 }, 'x-f': () => 1, 'x-e': '' }
  assert.deepEqual(headersOf(odd), { HTTP_X_N: '7', HTTP_X_B: 'true', HTTP_X_E: '' })
  assert.deepEqual(headersOf({ 'x-unicode': 'Zoë → 1' }), { HTTP_X_UNICODE: 'Zo\xc3\xab \xe2\x86\x92 1' })
})

for (const value of ['a\r\nb', 'a\nb', 'a\0b', ['a', 'b\n']]) {
  test(`leaves out a value with a line end or NUL: ${JSON.stringify(value)}`, () => {
    assert.deepEqual(headersOf({ 'x-bad': value }), {})
  })
}

test('leaves out what Connection names, and no more', () => {
  const headers = { connection: 'close, x-forwarded-for, Hop', hop: '1', 'x-forwarded-for': '192.0.2.1' }
  assert.deepEqual(headersOf(headers), { HTTP_X_FORWARDED_FOR: '192.0.2.1' })
})

function applied(params: readonly (readonly [string, string | undefined])[]): Record<string, string> {
  const environment: Environment = new Variables()
  environment.add('A', '1')
  environment.add('HTTP_X_FOO', '2')
  applyParams(environment, params)
  return Object.fromEntries(environment)
}

test('lets params replace, add and take away', () => {
  assert.deepEqual(
    applied([
      ['A', '9'],
      ['B', 'é'],
    ]),
    { A: '9', B: '\xc3\xa9', HTTP_X_FOO: '2' },
  )
  assert.deepEqual(
    applied([
      ['A', ''],
      ['HTTP_X_FOO', undefined],
    ]),
    {},
  )
})

test('keeps names unique under the folding of PHP', () => {
  assert.deepEqual(applied([['HTTP_X.FOO', '3']]), { A: '1', 'HTTP_X.FOO': '3' })
  assert.deepEqual(
    applied([
      ['HTTP_X.FOO', '3'],
      ['HTTP_X FOO', '4'],
    ]),
    { A: '1', 'HTTP_X FOO': '4' },
  )
  assert.deepEqual(
    applied([
      ['HTTP_X.FOO', '3'],
      ['HTTP_X_FOO', '5'],
    ]),
    { A: '1', HTTP_X_FOO: '5' },
  )
  assert.deepEqual(
    applied([
      ['HTTP_X[FOO', '3'],
      ['HTTP_X_FOO', ''],
    ]),
    { A: '1' },
  )
})

test('has a header once that other middleware has added in capitals, whichever comes first', () => {
  assert.deepEqual(headersOf({ 'x-foo': '1', 'X-Foo': '2' }), { HTTP_X_FOO: '2' })
  assert.deepEqual(headersOf({ 'X-Foo': '2', 'x-foo': '1' }), { HTTP_X_FOO: '1' })
  const all = environmentOf({ headers: { 'x-foo': '1', 'X-Foo': '2' } })
  assert.equal(new Set(all.keys()).size, all.keys().length)
})
