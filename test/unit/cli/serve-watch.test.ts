import assert from 'node:assert/strict'
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ConfigWatch, type ConfigWatchOptions } from '../../../lib/cli/serve-watch.ts'
import { type DocumentTree, documentTree } from '../../support/document-tree.ts'
import { eventually } from '../../support/eventually.ts'

describe('ConfigWatch', () => {
  let tree: DocumentTree
  let watch: ConfigWatch
  let changes: number
  let sources: { files: string[]; directories: string[] }

  beforeEach(() => {
    tree = documentTree(['one', 'two'])
    sources = { files: [join(tree.root, 'one')], directories: [] }
    changes = 0
  })
  afterEach(() => {
    watch.stop()
    tree.remove()
  })

  async function count(): Promise<void> {
    changes += 1
  }

  async function start(options: Partial<ConfigWatchOptions> = {}): Promise<void> {
    watch = new ConfigWatch({ sources: () => sources, onChange: count, interval: 10, settling: 10, ...options })
    await eventually('what has changed since the first reading is noticed', () => changes === 1)
  }

  async function changed(times: number): Promise<void> {
    await eventually(`change ${times}`, () => changes === times)
  }

  it('notices a file that is written again, replaced, removed, and put there again', async () => {
    await start()
    tree.write('one', 'other')
    await changed(2)
    renameSync(join(tree.root, 'two'), join(tree.root, 'one'))
    await changed(3)
    rmSync(join(tree.root, 'one'))
    await changed(4)
    tree.write('one')
    await changed(5)
  })

  it('notices a link that is turned behind another link', async () => {
    tree.write('a/b')
    tree.write('c/b')
    tree.link('data', 'a')
    tree.link('site', 'data/b')
    sources.files = [join(tree.root, 'site')]
    await start()
    symlinkSync('c', join(tree.root, 'new'))
    renameSync(join(tree.root, 'new'), join(tree.root, 'data'))
    await changed(2)
  })

  it('notices names that come and go in a directory, and the directory itself', async () => {
    sources = { files: [], directories: [tree.root, join(tree.root, 'later')] }
    await start()
    tree.write('three')
    await changed(2)
    rmSync(join(tree.root, 'three'))
    await changed(3)
    tree.write('later/four')
    await changed(4)
  })

  it('looks at other files when the reading has others', async () => {
    await start()
    sources = { files: [join(tree.root, 'two')], directories: [] }
    await changed(2)
    tree.write('two', 'other')
    await changed(3)
  })

  it('waits until what changes has come to rest', async () => {
    const settling = 10_000
    await start()
    watch.stop()
    watch = new ConfigWatch({
      sources: () => sources,
      onChange: count,
      interval: 1,
      settling,
    })
    await wait(50)
    assert.equal(changes, 1)
  })

  it('notices what changes while it is read', async () => {
    let first = true
    const onChange = async (): Promise<void> => {
      changes += 1
      if (changes === 2 && first) {
        first = false
        writeFileSync(join(tree.root, 'one'), 'written during the reading')
      }
    }
    await start({ onChange })
    tree.write('one', 'other')
    await changed(3)
  })

  it('reads nothing more once it is stopped', async () => {
    await start()
    watch.stop()
    tree.write('one', 'other')
    await wait(50)
    assert.equal(changes, 1)
  })
})
