import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { DocumentRoot } from '../../../lib/cgi/document-root.ts'
import { isSpelledForWindows } from '../../../lib/cgi/windows-name.ts'
import { documentTree } from '../../support/document-tree.ts'

for (const path of [
  '/',
  '/index.php',
  '/sub/',
  '/.well-known/x',
  '/a b.php',
  '/a..b.php',
  '/caf\u00e9.php',
  '/console.php',
  '/com10.php',
  '/null/aux2.php',
  '/~user/a~b.php',
  '/much-too-long-for-a-short-name~1.php',
  '/a~1.phpx',
  '/a~1.b.php',
]) {
  test(`takes ${path} for what it says`, () => assert.equal(isSpelledForWindows(path), true))
}

describe('on Windows', () => {
  const files = ['up/SHELL~1.php', 'up/a.txt', 'up/b.txt:x.php', 'con.php', 'index.php', 'dir./index.php']
  const tree = documentTree(files)
  after(() => tree.remove())
  const options = { root: tree.root, symlinks: 'follow', resolveRoot: false } as const

  test('a name that is there under another spelling is absent; elsewhere it is a file as any other', async () => {
    const windows = new DocumentRoot(options, Date.now, 'win32')
    const linux = new DocumentRoot(options, Date.now, 'linux')
    for (const name of files) {
      const isPlain = name === 'index.php' || name === 'up/a.txt'
      assert.equal((await windows.find(`/${name}`)).kind, isPlain ? 'file' : 'absent', name)
      assert.equal((await linux.find(`/${name}`)).kind, 'file', name)
    }
  })

  test('a directory keeps the slash at its end', async () => {
    const windows = new DocumentRoot(options, Date.now, 'win32')
    assert.equal((await windows.find('/up/')).kind, 'directory')
    assert.equal((await windows.find('/')).kind, 'directory')
  })
})
