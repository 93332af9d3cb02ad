import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mountTakenOff, parseTarget } from '../../../../lib/http/request/request-target.ts'

for (const [url, target, path, query, authority] of [
  ['/a?b', '/a?b', '/a', 'b', undefined],
  ['/', '/', '/', '', undefined],
  ['/a?', '/a?', '/a', '', undefined],
  ['/a?b?c', '/a?b?c', '/a', 'b?c', undefined],
  ['/a#f?b', '/a', '/a', '', undefined],
  ['/a?b#f', '/a?b', '/a', 'b', undefined],
  ['//host/a', '//host/a', '//host/a', '', undefined],
  ['http://h/a?b', '/a?b', '/a', 'b', 'h'],
  ['HTTPS://h:8443', '/', '/', '', 'h:8443'],
  ['http://h?b', '/?b', '/', 'b', 'h'],
  ['http://u:p@h/a', '/a', '/a', '', 'h'],
  ['http://h//a', '//a', '//a', '', 'h'],
  ['*', '*', '*', '', undefined],
] as const) {
  test(`reduces ${url} to ${target}`, () => {
    assert.deepEqual(parseTarget(url), { target, path, query, authority })
  })
}

for (const url of [
  undefined,
  '',
  'a',
  'example.com:443',
  'http:/index.php',
  'http:///index.php',
  '**',
  '?a',
  '//u@h/a.php#',
  '//u@h/a.php?\xa0',
]) {
  test(`refuses ${JSON.stringify(url)}`, () => {
    assert.throws(() => parseTarget(url), { code: 'ERR_FCGI_BAD_TARGET', status: 400 })
  })
}

for (const [original, path, mount] of [
  ['/sub/a', '/a', '/sub'],
  ['/sub', '/', '/sub'],
  ['/sub/', '/', '/sub'],
  ['/sub.html', '/.html', '/sub'],
  ['/a', '/a', ''],
  ['/a', '/b', ''],
  ['/a-x', '/x', ''],
  ['/sub/a', '/rewritten', ''],
] as const) {
  test(`knows that Connect took ${mount || 'nothing'} off ${original} for ${path}`, () => {
    assert.equal(mountTakenOff(original, path), mount)
  })
}
