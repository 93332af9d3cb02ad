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
