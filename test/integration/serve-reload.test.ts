import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { ask } from '../support/http-client.ts'
import { type Fake, type FakeRequest, startFake } from '../support/responder.ts'
import { program, runServe, type ServeProcess, startServe } from '../support/serve-process.ts'
import { BROKEN_CONFIG, configOf, reloaded, reloadsOf } from '../support/served-config.ts'

function answerWith(name: string): (request: FakeRequest) => Promise<void> {
  return async (request) => {
    const body = await request.body()
    await request.answer(`Content-Type: text/plain\r\n\r\n${name} ${body.length}`)
  }
}

async function who(served: ServeProcess): Promise<string | undefined> {
  return (await ask(served.url)).text.split(' ')[0]
}

/** Runs a command on a terminal. */
const SCRIPT = '/usr/bin/script'

function noTerminal(): string | false {
  return existsSync(SCRIPT) ? false : 'there is no script(1)'
}

/** The only child of a process. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim())
}

let a: Fake
let b: Fake
let tree: DocumentTree
let file: string

before(async () => {
  a = await startFake(answerWith('a'))
  b = await startFake(answerWith('b'))
})
after(async () => {
  await a.stop()
  await b.stop()
})
beforeEach(() => {
  tree = documentTree()
  file = tree.write('fastcgi.conf', configOf(a.address))
})
afterEach(() => tree.remove())

describe('serve --config --watch', () => {
  it('takes over a file that was written again, and tells what has changed', async () => {
    await using served = await startServe(['--config', file, '--watch'])
    assert.equal(await who(served), 'a')
    tree.write('fastcgi.conf', configOf(b.address))
    await reloaded(served, 1)
    assert.match(served.output(), /^Configuration reloaded; servers that stay: none; new: one; gone: one$/m)
    assert.equal(await who(served), 'b')
  })

  it('takes over another file that was put in its place, again and again', async () => {
    await using served = await startServe(['--config', file, '--watch'])
    for (const [times, { address }] of [b, a, b].entries()) {
      tree.write('new', configOf(address))
      renameSync(join(tree.root, 'new'), file)
      await reloaded(served, times + 1)
    }
    assert.equal(await who(served), 'b')
  })

  it('takes over a ConfigMap of Kubernetes, which turns a link beside the file', async () => {
    tree.write('..1/site.conf', configOf(a.address))
    tree.write('..2/site.conf', configOf(b.address))
    tree.link('..data', '..1')
    tree.link('site.conf', '..data/site.conf')
    await using served = await startServe(['--config', join(tree.root, 'site.conf'), '--watch'])
    // The first look reads the file anyway: the second turn must be seen.
    for (const [times, version] of ['..2', '..1', '..2'].entries()) {
      symlinkSync(version, join(tree.root, '..data_tmp'))
      renameSync(join(tree.root, '..data_tmp'), join(tree.root, '..data'))
      await reloaded(served, times + 1)
    }
    assert.equal(await who(served), 'b')
  })

  it('looks at included files, at those that come and at those that go', async () => {
    const server = (name: string, { address }: Fake): string =>
      `[FASTCGI_SERVER]\n\tServerName ${name}\n\tServerPath ${address}\n`
    const location = (name: string): string =>
      `[FASTCGI_LOCATION]\n\tServerNames ${name}\n\tRoute /{*path}\n\tScriptFilename /app\n`
    tree.write('site.conf', `${server('a', a)}${server('b', b)}@INCLUDE sites/*.conf\n`)
    tree.write('sites/2.conf', location('a'))
    await using served = await startServe(['--config', join(tree.root, 'site.conf'), '--watch'])
    tree.write('sites/1.conf', location('b'))
    await reloaded(served, 1)
    assert.equal(await who(served), 'b')
    tree.write('sites/1.conf', location('a'))
    await reloaded(served, 2)
    assert.equal(await who(served), 'a')
    tree.write('sites/2.conf', location('b'))
    await reloaded(served, 3)
    rmSync(join(tree.root, 'sites/1.conf'))
    await reloaded(served, 4)
    assert.equal(await who(served), 'b')
    tree.write('sites/0.conf', location('a'))
    await reloaded(served, 5)
    assert.equal(await who(served), 'a')
  })

  it('tells of a broken file with its line and serves on; a mended one is taken over', async () => {
    await using served = await startServe(['--config', file, '--watch'])
    tree.write('fastcgi.conf', BROKEN_CONFIG)
    await eventually('it is refused', () => served.output().includes('The configuration is refused'))
    assert.match(
      served.output(),
      /^The configuration is refused, the one before serves on:\n(?:\S+fastcgi\.conf:1: .+\n)*\S+fastcgi\.conf:2: .+ no key "ServerNam"/m,
    )
    assert.equal(await who(served), 'a')
    tree.write('fastcgi.conf', configOf(b.address))
    await reloaded(served, 1)
    assert.equal(await who(served), 'b')
  })

  it('looks at the files that a broken one includes', async () => {
    await using served = await startServe(['--config', file, '--watch'])
    tree.write('more.conf', BROKEN_CONFIG)
    tree.write('fastcgi.conf', `${configOf(b.address)}\n@INCLUDE more.conf\n`)
    await eventually('it is refused', () => /more\.conf:2: /.test(served.output()))
    tree.write('more.conf', '# nothing\n')
    await reloaded(served, 1)
    assert.equal(await who(served), 'b')
  })

  it('takes over a file that was away for a while', async () => {
    await using served = await startServe(['--config', file, '--watch'])
    rmSync(file)
    await eventually('it is missed', () => /fastcgi\.conf: cannot be read: /.test(served.output()))
    assert.equal(await who(served), 'a')
    tree.write('fastcgi.conf', configOf(b.address))
    await reloaded(served, 1)
    assert.equal(await who(served), 'b')
  })

  it('says nothing of a file that was touched, and that it serves again what was broken in between', async () => {
    await using served = await startServe(['--config', file, '--watch'])
    utimesSync(file, 1, 1)
    tree.write('fastcgi.conf', BROKEN_CONFIG)
    await eventually('it is refused', () => served.output().includes('The configuration is refused'))
    tree.write('fastcgi.conf', configOf(a.address))
    await eventually('it is mended', () => /^The configuration is again the one that serves$/m.test(served.output()))
    assert.equal(reloadsOf(served), 0)
  })

  it('refuses to watch nothing', async () => {
    const { code, output } = await runServe(['--watch'])
    assert.match(
      output,
      /^express-fastcgi: --watch is for the file of --config: give --config FILE, or leave --watch out/,
    )
    assert.equal(code, 2)
  })
})

describe('SIGHUP', () => {
  it('reloads the configuration, changed or not, of a service', async () => {
    await using served = await startServe(['--config', file])
    served.kill('SIGHUP')
    await reloaded(served, 1)
    assert.match(served.output(), /^Configuration reloaded; servers that stay: one; new: none; gone: none$/m)
    tree.write('fastcgi.conf', configOf(b.address))
    served.kill('SIGHUP')
    await reloaded(served, 2)
    assert.equal(await who(served), 'b')
  })

  it('tells each time that the file is broken', async () => {
    await using served = await startServe(['--config', file])
    tree.write('fastcgi.conf', BROKEN_CONFIG)
    for (const times of [1, 2]) {
      served.kill('SIGHUP')
      await eventually(`refusal ${times}`, () => served.output().match(/fastcgi\.conf:2: /g)?.length === times)
    }
    assert.equal(await who(served), 'a')
  })

  it('ends a server without a configuration file, as the end of its terminal does', async () => {
    await using served = await startServe([tree.root, '--server', a.address])
    served.kill('SIGHUP')
    await eventually('it has ended', () => !served.processes().includes(served.pid))
    assert.equal(await served.ended, 0)
  })

  it('ends a server on a terminal, be there a configuration file', { skip: noTerminal() }, async () => {
    const command = `exec ${process.execPath} ${program} serve --port 0 --config ${file}`
    const terminal = spawn(SCRIPT, ['-qefc', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    try {
      await eventually('it serves', () => output.includes('Ctrl-C ends it'))
      const ended = once(terminal, 'exit')
      const server = childOf(terminal.pid ?? 0)
      // Who closes the window.
      process.kill(server, 'SIGHUP')
      await eventually(`it has ended:\n${output}`, () => !existsSync(`/proc/${server}`))
      assert.deepEqual(await ended, [0, null])
    } finally {
      // The end of its terminal ends what is left of it.
      terminal.kill('SIGKILL')
    }
  })
})
