import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { DocumentRoot } from '../../../lib/cgi/document-root.ts'
import { decodePath } from '../../../lib/cgi/path.ts'
import {
  assertOneSegment,
  assertParameterFits,
  locateScript,
  programScript,
  splitScript,
} from '../../../lib/cgi/script.ts'
import { documentTree } from '../../support/document-tree.ts'

const PHP = ['.php']

for (const [path, scriptName, pathInfo] of [
  ['/index.php', '/index.php', ''],
  ['/index.php/', '/index.php', '/'],
  ['/a/index.php/b/c', '/a/index.php', '/b/c'],
  ['/a.php/b.php', '/a.php', '/b.php'],
  ['/.php', '/.php', ''],
] as const) {
  test(`splits ${path} behind the script`, () => {
    assert.deepEqual(splitScript(path, PHP), { scriptName, pathInfo })
  })
}

for (const path of [
  '/',
  '/index',
  '/index.phpx',
  '/index.php5/',
  '/index.PHP',
  '/indexphp',
  '/php',
  '/index.php.txt',
]) {
  test(`finds no script in ${path}`, () => assert.equal(splitScript(path, PHP), null))
}

test('goes on behind a script that was passed over', () => {
  assert.deepEqual(splitScript('/a.php/b.php/c', PHP, '/a.php'.length), { scriptName: '/a.php/b.php', pathInfo: '/c' })
  assert.equal(splitScript('/a.php/b', PHP, '/a.php'.length), null)
})

test('knows several extensions', () => {
  assert.deepEqual(splitScript('/a.cgi/b.pl', ['.pl', '.cgi']), { scriptName: '/a.cgi', pathInfo: '/b.pl' })
})

const tree = documentTree(['index.php', 'dir.php/inner.php', 'dir.php/page.txt', 'up/a.jpg', 'only.php/'])
after(() => tree.remove())
const files = new DocumentRoot({ root: tree.root, symlinks: 'follow', resolveRoot: false })
const place = { extensions: PHP, files, checkLocal: true }

test('locates a script with its PATH_INFO', async () => {
  assert.deepEqual(await locateScript('/index.php/a/b', place), {
    scriptName: '/index.php',
    pathInfo: '/a/b',
    scriptFilename: `${tree.root}/index.php`,
    documentRoot: tree.root,
  })
})

test('passes a directory over that is called like a script', async () => {
  const script = await locateScript('/dir.php/inner.php/x', place)
  assert.equal(script?.scriptName, '/dir.php/inner.php')
  assert.equal(script?.pathInfo, '/x')
  assert.equal(await locateScript('/dir.php/page.txt', place), null)
  assert.equal(await locateScript('/only.php', place), null)
})

test('never runs a file above the one that was named', async () => {
  assert.equal(await locateScript('/up/a.jpg/x.php', place), null)
})

test('locates nothing that is not there', async () => {
  assert.equal(await locateScript('/none.php', place), null)
  assert.equal(await locateScript(`/${'x'.repeat(5000)}.php`, place), null)
})

test('splits by extension alone where the backend has other disks', async () => {
  const remote = { ...place, checkLocal: false }
  assert.deepEqual(await locateScript('/none.php/x', remote), {
    scriptName: '/none.php',
    pathInfo: '/x',
    scriptFilename: `${tree.root}/none.php`,
    documentRoot: tree.root,
  })
  assert.equal(await locateScript('/none', remote), null)
})

function program(raw: string, fixed: string, atMount = false): { scriptName: string; pathInfo: string } {
  const { scriptName, pathInfo } = programScript(decodePath(raw), {
    fixed,
    scriptFilename: '/usr/bin/program',
    documentRoot: '',
    atMount,
  })
  return { scriptName, pathInfo }
}

for (const [raw, fixed, pathInfo] of [
  ['/git/a/b', '/git', '/a/b'],
  ['/git', '/git', ''],
  ['/git/', '/git', '/'],
  ['/git//a//b', '/git', '//a//b'],
  ['/a%2fb', '', '/a/b'],
  ['/git/a%5cb', '/git', '/a\\b'],
  ['//git//a', '/git', '/a'],
  ['/git/x/../a', '/git', '/a'],
  ['/git/../git/./a//b', '/git', '/a/b'],
  ['/', '', '/'],
] as const) {
  test(`gives a program at ${fixed || 'its mount'} the PATH_INFO ${pathInfo || '(none)'} for ${raw}`, () => {
    assert.deepEqual(program(raw, fixed), { scriptName: fixed, pathInfo })
  })
}

test('gives a program no PATH_INFO for a mount that was written without a slash', () => {
  assert.deepEqual(program('/', '', true), { scriptName: '', pathInfo: '' })
})

for (const value of ['a/b', '..', '.', '.hidden', 'a..b', 'a\\b', 'a\0b', '/']) {
  test(`refuses ${JSON.stringify(value)} as a part of a program's file name`, () => {
    assert.throws(() => assertOneSegment('name', value), { code: 'ERR_FCGI_SCRIPT_HIDDEN', status: 404 })
  })
}

for (const value of ['', 'a', 'a.b', 'é', 'a b']) {
  test(`takes ${JSON.stringify(value)} as a part of a program's file name`, () => assertOneSegment('name', value))
}

const outOfPlace = { code: 'ERR_FCGI_SCRIPT_HIDDEN', status: 404 }

for (const value of ['..', '../x', 'a/../b', 'a/.git', 'a\\b', 'a\0', 'a/b..']) {
  test(`refuses ${JSON.stringify(value)} in a variable that names a file`, () => {
    for (const variable of ['SCRIPT_FILENAME', 'DOCUMENT_ROOT', 'PATH_TRANSLATED']) {
      assert.throws(() => assertParameterFits(variable, 'page', value), outOfPlace)
    }
  })
}

for (const value of ['a:b', 'a;b', 'a=b', '"', "'", 'a b', 'a\n', '$a', 'a/b', '.', 'a.b', 'a,b', '(a)']) {
  test(`refuses ${JSON.stringify(value)} in an ini setting of PHP`, () => {
    for (const variable of ['PHP_VALUE', 'PHP_ADMIN_VALUE']) {
      assert.throws(() => assertParameterFits(variable, 'page', value), outOfPlace)
    }
  })
}

test('takes plain words in variables that decide what runs, and anything in others', () => {
  assertParameterFits('SCRIPT_FILENAME', 'page', 'a/b.c/d')
  assertParameterFits('PHP_VALUE', 'tenant', 'caf\u00e9_1-a')
  assertParameterFits('PHP_VALUE', 'tenant', '')
  assertParameterFits('HTTP_X_PAGE', 'page', '../\n;"')
})
