import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePath, foldPath, unicodeText, utf8Bytes } from '../../../lib/cgi/path.ts'

const badTarget = { code: 'ERR_FCGI_BAD_TARGET', status: 400 }

test('leaves a plain path as it is', () => {
  const path = '/blog/index.php/2026/a-b_c~d'
  assert.deepEqual(decodePath(path), { path, decoded: path, text: path, unsafe: false })
})

test('decodes once and no more', () => {
  assert.equal(decodePath('/%69ndex%2Ephp').path, '/index.php')
  assert.equal(decodePath('/%2569ndex.php').path, '/%69ndex.php')
  assert.equal(decodePath('/100%25').path, '/100%')
})

test('gives bytes for the file system and Unicode for patterns', () => {
  assert.deepEqual(decodePath('/caf%C3%A9'), {
    path: '/caf\xc3\xa9',
    decoded: '/caf\xc3\xa9',
    text: '/café',
    unsafe: false,
  })
  assert.equal(decodePath('/caf\xc3\xa9').text, '/café')
  assert.equal(decodePath('/café→').text, '/café→')
})

test('reads bytes that are no UTF-8 as themselves', () => {
  const { path, text } = decodePath('/caf%E9')
  assert.equal(path, '/caf\xe9')
  assert.equal(text, '/caf\xe9')
})

for (const [raw, path] of [
  ['/', '/'],
  ['//', '/'],
  ['/a//b///c', '/a/b/c'],
  ['/a/./b', '/a/b'],
  ['/a/b/../c', '/a/c'],
  ['/a/b/..', '/a/'],
  ['/a/.', '/a/'],
  ['/a/', '/a/'],
  ['/a/..', '/'],
  ['/%2e/a/%2E%2e/b', '/b'],
  ['/.well-known/x', '/.well-known/x'],
  ['/a/...', '/a/...'],
  ['/..a/b..', '/..a/b..'],
] as const) {
  test(`folds ${raw} to ${path}, and keeps what was decoded`, () => {
    assert.equal(decodePath(raw).path, path)
    assert.equal(decodePath(raw).decoded, raw.replaceAll('%2e', '.').replaceAll('%2E', '.'))
  })
}

for (const raw of [
  '/..',
  '/../a',
  '/a/../../b',
  '/%2e%2e/a',
  '/a%2f..%2f..%2fb',
  '/..%5cb',
  '/a%5c..%5c..%5cb',
  '/.%2e',
  '/!\\&/..//..\\',
]) {
  test(`refuses ${raw}, which climbs above the root`, () => assert.throws(() => decodePath(raw), badTarget))
}

for (const raw of ['/%', '/%4', '/%zz', '/a%', '/%u0041', '/%-1']) {
  test(`refuses the bad escape of ${raw}`, () => assert.throws(() => decodePath(raw), badTarget))
}

for (const raw of ['/a%00.php', '/a%0a', '/%0d', '/%1b[0m', '/%7f', '/a\tb', '/a\x00', '/a b']) {
  test(`refuses the control character or space of ${JSON.stringify(raw)}`, () => {
    assert.throws(() => decodePath(raw), badTarget)
  })
}

for (const raw of ['', 'a', '*', 'http://a/']) {
  test(`refuses ${JSON.stringify(raw)}, which is no absolute path`, () => {
    assert.throws(() => decodePath(raw), badTarget)
  })
}

test('lets an encoded space pass', () => assert.equal(decodePath('/a%20b').path, '/a b'))

for (const raw of ['/a%2fb', '/a%2Fb', '/a\\b', '/a%5cb', '/a%5Cb']) {
  test(`says that ${raw} never names a file`, () => assert.equal(decodePath(raw).unsafe, true))
}

test('does not take a doubly encoded slash for a slash', () => {
  assert.deepEqual(decodePath('/a%252fb'), { path: '/a%2fb', decoded: '/a%2fb', text: '/a%2fb', unsafe: false })
})

test('shows no control character in the detail of a refusal', () => {
  assert.throws(
    () => decodePath('/a%1b[31m'),
    (error: { detail: string }) => !error.detail.includes('\x1b'),
  )
})

test('folds a path that is empty to the root', () => assert.equal(foldPath(''), '/'))

test('turns Unicode to bytes and back', () => {
  assert.equal(utf8Bytes('/srv/é'), '/srv/\xc3\xa9')
  assert.equal(unicodeText('/srv/\xc3\xa9'), '/srv/é')
  assert.equal(utf8Bytes('/srv'), '/srv')
  assert.equal(unicodeText('\xff'), '\xff')
})
