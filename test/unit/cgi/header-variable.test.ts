import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionNominees, headerVariable } from '../../../lib/cgi/header-variable.ts'

test('writes a header as CGI does, again and again', () => {
  for (const _ of [1, 2]) {
    assert.equal(headerVariable('x-requested-with'), 'HTTP_X_REQUESTED_WITH')
    assert.equal(headerVariable('Accept'), 'HTTP_ACCEPT')
    assert.equal(headerVariable('x1'), 'HTTP_X1')
    assert.equal(headerVariable('authorization'), 'HTTP_AUTHORIZATION')
  }
})

for (const name of [
  '',
  'x_forwarded_for',
  'x.foo',
  'x foo',
  ':authority',
  'x\u017f',
  'café',
  "o'clock",
  'x+y',
  'x[a]',
]) {
  test(`withholds ${JSON.stringify(name)}, which is not letters, digits and hyphens alone`, () => {
    assert.equal(headerVariable(name), null)
  })
}

for (const name of [
  'proxy',
  'Proxy',
  'proxy-authorization',
  'proxy-connection',
  'redirect-status',
  'REDIRECT-anything',
  'x-original-url',
  'x-rewrite-url',
  'content-length',
  'content-type',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]) {
  test(`withholds ${name}`, () => assert.equal(headerVariable(name), null))
}

test('passes names that only begin like a withheld one', () => {
  assert.equal(headerVariable('proxy-x'), 'HTTP_PROXY_X')
  assert.equal(headerVariable('te-x'), 'HTTP_TE_X')
  assert.equal(headerVariable('redirect'), 'HTTP_REDIRECT')
})

test('remembers a bounded number of names and stays right beyond it', () => {
  for (let index = 0; index < 2000; index++) assert.equal(headerVariable(`x-${index}`), `HTTP_X_${index}`)
  assert.equal(headerVariable('x-late'), 'HTTP_X_LATE')
  assert.equal(headerVariable('x_late'), null)
})

test('takes what Connection names for this hop', () => {
  assert.deepEqual([...connectionNominees('close, Foo-Bar ,HTTP2-Settings')], ['close', 'foo-bar', 'http2-settings'])
  assert.equal(connectionNominees(undefined).size, 0)
  assert.equal(connectionNominees('keep-alive').size, 0)
  assert.equal(connectionNominees('close').size, 0)
})

for (const name of [
  'Host',
  'Authorization',
  'Cookie',
  'Content-Encoding',
  'X-Forwarded-For',
  'X-Real-IP',
  'Forwarded',
  'Via',
  'Origin',
  'Sec-Fetch-Site',
  'Client-Cert',
  'Remote-User',
  'If-None-Match',
  'User-Agent',
  'True-Client-IP',
  'Auth-User',
  'OIDC-Claim-Sub',
]) {
  test(`does not let Connection take ${name} away`, () => assert.equal(connectionNominees(`close, ${name}`).size, 1))
}
