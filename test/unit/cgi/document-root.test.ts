import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { after, test } from 'node:test'
import { DocumentRoot, realPathOf } from '../../../lib/cgi/document-root.ts'
import { documentTree } from '../../support/document-tree.ts'

const tree = documentTree(['www/index.php', 'www/dir/', 'www/locked/a.php', 'outside/secret.php', 'www-2/a.php'])
after(() => {
  chmodSync(`${tree.root}/www/locked`, 0o700)
  tree.remove()
})
const root = `${tree.root}/www`
tree.link('www/linked.php', `${root}/index.php`)
tree.link('www/escape.php', `${tree.root}/outside/secret.php`)
tree.link('www/neighbour.php', `${tree.root}/www-2/a.php`)
tree.link('www/out', `${tree.root}/outside`)
tree.link('www/loop.php', 'loop.php')
tree.link('www/dangling.php', 'nowhere.php')

const following = new DocumentRoot({ root, symlinks: 'follow', resolveRoot: false })
const inside = new DocumentRoot({ root, symlinks: 'inside', resolveRoot: false })

test('says what a name is', async () => {
  assert.deepEqual(await following.find('/index.php'), { kind: 'file', filename: `${root}/index.php`, root })
  assert.equal((await following.find('/dir')).kind, 'directory')
  assert.equal((await following.find('/dir/')).kind, 'directory')
  assert.equal((await following.find('/none')).kind, 'absent')
  assert.equal((await following.find('/index.php/x')).kind, 'absent')
  assert.equal((await following.find(`/${'x'.repeat(300)}`)).kind, 'absent')
  assert.equal((await following.find('/loop.php')).kind, 'absent')
  assert.equal((await following.find('/dangling.php')).kind, 'absent')
})

test('does not call a FIFO a file', { skip: process.platform === 'win32' && 'no FIFOs here' }, async () => {
  execFileSync('mkfifo', [`${root}/fifo.php`])
  assert.equal((await following.find('/fifo.php')).kind, 'other')
})

test('calls absent what may not be looked at', { skip: process.platform === 'win32' && 'no modes here' }, async () => {
  chmodSync(`${root}/locked`, 0)
  // Root may look at everything; for this test it is somebody else.
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  try {
    assert.equal((await following.find('/locked/a.php')).kind, 'absent')
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

test('finds a name that is no UTF-8', { skip: process.platform !== 'linux' && 'names are Unicode here' }, async () => {
  tree.write(Buffer.from('www/caf\xe9.php', 'latin1'))
  assert.equal((await following.find('/caf\xe9.php')).kind, 'file')
  tree.write('www/caf\u00e9.php')
  assert.equal((await following.find('/caf\xc3\xa9.php')).kind, 'file')
})

test('follows links out of the root', async () => {
  assert.equal((await following.find('/escape.php')).kind, 'file')
  assert.equal((await following.find('/out/secret.php')).kind, 'file')
})

test('takes a link out of the root for absent, with symlinks inside', async () => {
  assert.equal((await inside.find('/linked.php')).kind, 'file')
  assert.equal((await inside.find('/index.php')).kind, 'file')
  assert.equal((await inside.find('/escape.php')).kind, 'absent')
  assert.equal((await inside.find('/out/secret.php')).kind, 'absent')
  assert.equal((await inside.find('/out')).kind, 'absent')
})

test('does not take a neighbour whose name begins like the root for inside', async () => {
  assert.equal((await inside.find('/neighbour.php')).kind, 'absent')
})

test('sees a file behind an escaping link as other readers do', async () => {
  assert.equal(await inside.kind('/escape.php'), 'file')
})

test('names a path without a look at the disk', () => {
  assert.deepEqual(following.name('/none.php'), { filename: `${root}/none.php`, root })
  const slash = new DocumentRoot({ root: '/', symlinks: 'follow', resolveRoot: false })
  assert.deepEqual(slash.name('/none.php'), { filename: '/none.php', root: '/' })
})

test('gives names as bytes', () => {
  const files = new DocumentRoot({ root: '/srv/é', symlinks: 'follow', resolveRoot: false })
  assert.equal(files.name('/a.php').filename, '/srv/\xc3\xa9/a.php')
})

test('sends the real root, and sees a switched deployment after a second', async () => {
  const releases = documentTree(['v1/a.php', 'v2/a.php'])
  try {
    const current = `${releases.root}/current`
    symlinkSync('v1', current)
    let now = 0
    const files = new DocumentRoot({ root: current, symlinks: 'follow', resolveRoot: true }, () => now)
    assert.equal((await files.find('/a.php')).filename, `${releases.root}/v1/a.php`)
    symlinkSync('v2', `${current}.new`)
    renameSync(`${current}.new`, current)
    now = 999
    assert.equal((await files.find('/a.php')).root, `${releases.root}/v1`)
    now = 1000
    assert.deepEqual(await files.find('/a.php'), {
      kind: 'file',
      filename: `${releases.root}/v2/a.php`,
      root: `${releases.root}/v2`,
    })
  } finally {
    releases.remove()
  }
})

test('keeps the configured root while the link to it is away', async () => {
  const releases = documentTree(['v1/a.php'])
  try {
    rmSync(`${releases.root}/v1`, { recursive: true })
    const files = new DocumentRoot({ root: `${releases.root}/v1`, symlinks: 'inside', resolveRoot: true })
    assert.deepEqual(await files.find('/a.php'), {
      kind: 'absent',
      filename: `${releases.root}/v1/a.php`,
      root: `${releases.root}/v1`,
    })
    assert.equal(await realPathOf(`${releases.root}/v1`), null)
  } finally {
    releases.remove()
  }
})

test('remembers for a second that a file is there, and nothing else', async () => {
  let now = 5_000
  const files = new DocumentRoot({ root, symlinks: 'follow', resolveRoot: false }, () => now)
  tree.write('www/brief.php')
  assert.equal(files.recall('/brief.php'), null)
  const found = await files.find('/brief.php')
  rmSync(`${root}/brief.php`)
  now += 999
  assert.deepEqual(files.recall('/brief.php'), found)
  now += 1
  assert.equal(files.recall('/brief.php'), null)
  for (const path of ['/brief.php', '/dir', '/none.php']) {
    assert.notEqual((await files.find(path)).kind, 'file')
    assert.equal(files.recall(path), null, path)
  }
})

test('looks at a file anew when its second is over, however often it was asked for', async () => {
  let now = 5_000
  const files = new DocumentRoot({ root, symlinks: 'follow', resolveRoot: false }, () => now)
  await files.find('/index.php')
  now += 600
  await files.find('/linked.php')
  assert.notEqual(files.recall('/index.php'), null)
  now += 600
  assert.equal(files.recall('/index.php'), null)
  assert.equal(files.recall('/linked.php'), null)
})

test('remembers no file that leaves the root under symlinks inside', async () => {
  const files = new DocumentRoot({ root, symlinks: 'inside', resolveRoot: false })
  await files.find('/escape.php')
  assert.equal(files.recall('/escape.php'), null)
})

test('does not believe a file longer than the real root it was found under', async () => {
  let now = 5_000
  const files = new DocumentRoot({ root, symlinks: 'follow', resolveRoot: true }, () => now)
  await files.find('/dir')
  now += 900
  await files.find('/index.php')
  assert.notEqual(files.recall('/index.php'), null)
  now += 100
  assert.equal(files.recall('/index.php'), null)
})
