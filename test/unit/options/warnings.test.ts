import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveOptions } from '../../../lib/options/resolve.ts'
import { optionWarnings } from '../../../lib/options/warnings.ts'

const root = '/srv/www'

test('says nothing of what is safe', () => {
  assert.deepEqual(optionWarnings(resolveOptions({ root, server: '/run/php/php-fpm.sock' })), [])
  assert.deepEqual(optionWarnings(resolveOptions({ root, server: '127.0.0.1:9000', match: /\.php(?:\/|$)/ })), [])
})

test('names every server that others may reach and every location with an endless pattern', () => {
  const servers = [
    { name: 'near', address: '127.0.0.1:9000' },
    { name: 'far', address: '10.0.0.5:9000' },
  ]
  const locations = [
    { name: 'good', match: /\.php$/ },
    { name: 'endless', match: /^(a+)+$/ },
  ]
  const warnings = optionWarnings(resolveOptions({ root, servers, locations }))
  assert.equal(warnings.length, 2)
  assert.match(warnings[0] ?? '', /"far".*10\.0\.0\.5:9000/)
  assert.match(warnings[1] ?? '', /"endless"/)
})

test('names the servers that have one address, with the connections that their backend may get', () => {
  const servers = [
    { name: 'a', address: '127.0.0.1:9000', maxConnections: 20 },
    { name: 'other', address: '127.0.0.1:9001' },
    { name: 'b', address: '127.0.0.1:09000', maxConnections: 40, backup: true },
    { name: 'c', address: '/run/php.sock' },
    { name: 'd', address: 'unix:/run/php.sock' },
    { name: 'e', address: '/run/php.sock' },
    { name: 'f', address: 'LocalHost:9000' },
    { name: 'g', address: 'localhost:9000' },
  ]
  const warnings = optionWarnings(resolveOptions({ root, servers }))
  assert.equal(warnings.length, 3)
  assert.match(
    warnings[0] ?? '',
    /"a" and "b" have the same address, 127\.0\.0\.1:9000\..*\(20 and 40\).* 60 connections/,
  )
  assert.match(warnings[1] ?? '', /"c" and "d" and "e" have the same address, \/run\/php\.sock\..* 192 connections/)
  assert.match(warnings[2] ?? '', /"f" and "g" have the same address, localhost:9000\./)
})

test('says nothing of servers that are started here, nor of one that several locations name', () => {
  const servers = [
    { name: 'a', command: 'php-fpm' },
    { name: 'b', command: 'php-fpm' },
    { name: 'c', address: '/run/php.sock' },
  ]
  const locations = [{ servers: 'c' }, { servers: ['a', 'c'] }]
  assert.deepEqual(optionWarnings(resolveOptions({ root, servers, locations })), [])
})
