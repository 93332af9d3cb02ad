import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exposureWarning } from '../../../lib/client/exposure.ts'

for (const address of [
  null,
  '/run/php/php-fpm.sock',
  'unix:/run/php/php-fpm.sock',
  '127.0.0.1:9000',
  '127.8.9.10:9000',
  '[::1]:9000',
  '[0:0:0:0:0:0:0:1]:9000',
  '[::ffff:127.0.0.1]:9000',
  'localhost:9000',
  'LOCALHOST:9000',
  'php.localhost:9000',
  'localhost.:9000',
]) {
  test(`says nothing of a backend at ${address}`, () => {
    assert.equal(exposureWarning({ name: 'php', address }), null)
  })
}

for (const address of [
  '10.0.0.5:9000',
  '192.168.1.1:9000',
  '128.0.0.1:9000',
  '203.0.113.1:9000',
  '0.0.0.0:9000',
  '[::]:9000',
  '[::2]:9000',
  '[fe80::1%eth0]:9000',
  '[::ffff:10.0.0.1]:9000',
  'php:9000',
  'php-fpm.internal:9000',
  'localhost.example.com:9000',
  'notlocalhost:9000',
]) {
  test(`warns of a TCP backend that is not loopback: ${address}`, () => {
    const warning = exposureWarning({ name: 'php', address }) ?? ''
    assert.ok(warning.includes('"php"') && warning.includes(address), warning)
    assert.match(warning, /no password.*listen\.allowed_clients.*unix socket/)
  })
}

test('shows no control character of a name', () => {
  assert.ok(exposureWarning({ name: 'a\x1b[31m', address: 'php:9000' })?.includes('"a\\u001b[31m"'))
})
