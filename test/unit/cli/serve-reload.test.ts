import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ConfigReloader } from '../../../lib/cli/serve-reload.ts'
import { type FastCgiOptions, OptionError, readConfig } from '../../../lib/index.ts'
import { type DocumentTree, documentTree } from '../../support/document-tree.ts'

function config(port: number, more = ''): string {
  return `[FASTCGI_SERVER]\n\tServerName php\n\tServerAddr 127.0.0.1:${port}\n[FASTCGI_LOCATION]\n\tServerNames php\n${more}`
}

describe('ConfigReloader', () => {
  let tree: DocumentTree
  let file: string
  let taken: FastCgiOptions[]
  let log: string[]
  let take: (options: FastCgiOptions) => Promise<void>
  let reloader: ConfigReloader

  beforeEach(() => {
    tree = documentTree()
    file = tree.write('fastcgi.conf', config(1))
    taken = []
    log = []
    take = async (options) => void taken.push(options)
    const note = (message: string): void => void log.push(message)
    reloader = new ConfigReloader({
      path: file,
      loaded: readConfig(file),
      log: { info: note, warn: note, error: note },
      take: (options) => take(options),
    })
  })
  afterEach(() => tree.remove())

  const addresses = (): readonly (string | undefined)[] => taken.map(({ servers }) => servers?.[0]?.address)

  it('takes over what it is told to, changed or not', async () => {
    await reloader.reload()
    tree.write('fastcgi.conf', config(2))
    await reloader.reload()
    assert.deepEqual(addresses(), ['127.0.0.1:1', '127.0.0.1:2'])
  })

  it('takes over by itself only what says something else', async () => {
    await reloader.refresh()
    tree.write('fastcgi.conf', `# a comment\n${config(1)}`)
    await reloader.refresh()
    assert.deepEqual(taken, [])
    tree.write('fastcgi.conf', config(1, '\tMatch x\n'))
    await reloader.refresh()
    tree.write('fastcgi.conf', config(1, '\tMatch y\n'))
    await reloader.refresh()
    assert.equal(taken.length, 2)
  })

  it('tells the warnings of a file that it takes', async () => {
    tree.write('fastcgi.conf', config(2, '\tKeepAlive On\n\tKeepAlive On\n'))
    await reloader.refresh()
    assert.deepEqual([log.length, /fastcgi\.conf:7: /.test(log[0] ?? '')], [1, true])
  })

  it('has one reading for all who ask before it begins, and no two at once', async () => {
    let running = 0
    take = async (options) => {
      running += 1
      assert.equal(running, 1)
      await new Promise((resolve) => setImmediate(resolve))
      taken.push(options)
      running -= 1
    }
    const first = reloader.reload()
    await Promise.resolve()
    await Promise.all([first, ...Array.from({ length: 50 }, () => reloader.reload()), reloader.refresh()])
    assert.equal(taken.length, 2)
  })

  it('watches what a broken file has read, and forgets what nobody reads any more', async () => {
    tree.write('more.conf', 'nonsense')
    tree.write('fastcgi.conf', `${config(2)}@INCLUDE more.conf\n`)
    await reloader.refresh()
    assert.deepEqual([...reloader.sources.files].sort(), [file, `${tree.root}/more.conf`])
    tree.write('fastcgi.conf', config(2))
    await reloader.refresh()
    assert.deepEqual(reloader.sources.files, [file])
  })

  it('tells a refusal once, unless it was told to reload', async () => {
    tree.write('fastcgi.conf', 'nonsense')
    await reloader.refresh()
    await reloader.refresh()
    assert.equal(log.length, 1)
    await reloader.reload()
    assert.equal(log.length, 2)
  })

  it('names the file of a mistake that only shows in the options, and takes it when that is mended', async () => {
    take = async () => {
      throw new OptionError('weight: no')
    }
    tree.write('fastcgi.conf', config(2))
    await reloader.refresh()
    assert.deepEqual(log, [`The configuration is refused, the one before serves on:\n${file}: weight: no`])
    take = async (options) => void taken.push(options)
    await reloader.refresh()
    assert.deepEqual(addresses(), ['127.0.0.1:2'])
  })

  it('takes nothing over once it is stopped, and lets what it has begun end', async () => {
    let release = (): void => undefined
    take = async (options) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      taken.push(options)
    }
    const running = reloader.reload()
    await new Promise((resolve) => setImmediate(resolve))
    const late = reloader.reload()
    const stopped = reloader.stop()
    release()
    await Promise.all([running, late, stopped])
    assert.equal(taken.length, 1)
  })
})
