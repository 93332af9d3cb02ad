import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePath } from '../../../lib/cgi/path.ts'
import { sourcePattern, sourceText, staticReadings } from '../../../lib/cgi/script-source.ts'

const php = sourcePattern(['.php'])

for (const path of [
  '/index.php',
  '/INDEX.PHP',
  '/index.pHp',
  '/index.php/',
  '/index.php.',
  '/index.php. .',
  '/index.php ',
  '/index.php::$DATA',
  '/index.php:stream',
  '/index.php::$DATA/',
  '/index.php\\',
  '/index.p\u200chp',
  '/index.php\ufeff',
]) {
  test(`knows ${JSON.stringify(path)} for a possible script`, () => {
    assert.match(sourceText(Buffer.from(path).toString('latin1')), php)
  })
}

for (const path of [
  '/',
  '/index',
  '/php',
  '/index.php.txt',
  '/index.phps',
  '/a.php/page.txt',
  '/index.html',
  '/INDEX~1.PHT',
]) {
  test(`takes ${path} for no script`, () => assert.doesNotMatch(sourceText(path), php))
}

test('folds letters outside of ASCII that a file system could fold', () => {
  assert.match('/run.\u017fh', sourcePattern(['.sh']))
})

test('knows the short name of a long extension', () => {
  assert.match('/INDEX~1.PHT', sourcePattern(['.phtml']))
  assert.doesNotMatch('/index.pht', sourcePattern(['.phtml']))
})

test('takes an extension as it stands', () => {
  assert.match('/a.c++', sourcePattern(['.c++']))
  assert.doesNotMatch('/aXphp', php)
})

test('takes further endings', () => assert.match('/a.bak', sourcePattern(['.php'], ['\\.bak'])))

function readings(raw: string): readonly string[] {
  return staticReadings(raw, decodePath(raw))
}

test('reads an ordinary path in one way', () => assert.deepEqual(readings('/a//b.php'), ['/a/b.php']))

test('reads backslashes as slashes too', () => {
  assert.deepEqual(readings('/x\\..\\index.php'), ['/x\\..\\index.php', '/index.php'])
  assert.deepEqual(readings('/sub%5cindex.php'), ['/sub\\index.php', '/sub/index.php'])
})

test('reads characters that are not encoded as Latin-1 too, without a no-break space at the end', () => {
  assert.deepEqual(readings('/\xe9.php'), ['/\xe9.php', '/\xc3\xa9.php'])
  assert.deepEqual(readings('/index.php\xa0'), ['/index.php\xa0', '/index.php'])
})

test('needs no more than a walk along a path of a million characters', () => {
  const many = 1_000_000
  for (const [begin, repeated, end] of [
    ['/x.php', '.', 'x'],
    ['/x.php', ' .', 'x'],
    ['/x.php:', '.', 'x/x'],
    ['/x.php', './', 'x'],
    ['/', ':', '/x'],
    ['/', '.php.', 'x'],
    ['/', '~1', 'x'],
  ] as const) {
    const text = sourceText(begin + repeated.repeat(many / repeated.length) + end)
    assert.doesNotMatch(text, sourcePattern(['.php', '.phtml'], ['~']))
  }
})

test('needs no more than a walk to trim what is no end', () => {
  const raw = `/${'\xa0'.repeat(1_000_000)}x`
  assert.equal(readings(raw).length, 2)
})
