import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { ask, open, read } from '../support/http-client.ts'
import { backend, pathOf } from '../support/require-backend.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'

const site = fileURLToPath(new URL('../../examples/site', import.meta.url))

/** Of a process that may end while we look. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Node processes that serve, without the first of them. */
function workersOf(served: ServeProcess): readonly number[] {
  return served.processes().filter((pid) => pid !== served.pid && commandLine(pid).includes('main.js serve'))
}

backend('php-fpm').describe('serve --workers 2', () => {
  let served: ServeProcess

  before(async () => {
    served = await startServe([site, '--php', pathOf('php-fpm'), '--workers', '2'])
  })
  after(() => served?.stop())

  it('starts two workers and one backend', () => {
    assert.match(served.output(), /with php-fpm \(\S+\), 2 workers\n/)
    assert.equal(workersOf(served).length, 2)
    assert.equal(served.processes().filter((pid) => /supervise\.[jt]s/.test(commandLine(pid))).length, 1)
    assert.equal(served.output().match(/Ctrl-C ends it/g)?.length, 1)
  })

  it('replaces a worker that was killed, and goes on with the other', async () => {
    const [victim = 0] = workersOf(served)
    process.kill(victim, 'SIGKILL')
    await eventually('it is told', () => served.output().includes(`Worker ${victim} ended (SIGKILL) and is replaced`))
    assert.match((await ask(served.url)).text, /behind Node/)
    await eventually('there are two again', () => workersOf(served).length === 2)
    for (let request = 0; request < 10; request += 1) assert.equal((await ask(served.url)).status, 200)
  })

  it('lets a worker finish that is asked to end', async () => {
    const [one = 0, other = 0] = workersOf(served)
    const running = await Promise.all([1, 2, 3, 4].map(() => open(`${served.url}/stream.php`)))
    process.kill(one, 'SIGTERM')
    for (const answer of running) assert.match((await read(answer)).toString(), /Done after/)
    await eventually('it is replaced', () => workersOf(served).length === 2 && !workersOf(served).includes(one))
    assert.ok(workersOf(served).includes(other))
    // The other may have been started in place of the one that was killed, and not listen yet.
    await eventually('it answers', () =>
      ask(served.url).then(
        () => true,
        () => false,
      ),
    )
  })

  it('finishes the running requests of every worker after Ctrl-C, and leaves nothing', async () => {
    const running = await Promise.all([1, 2, 3, 4].map(() => open(`${served.url}/stream.php`)))
    // As a terminal does: to every process of the group.
    process.kill(-served.pid, 'SIGINT')
    for (const answer of running) assert.match((await read(answer)).toString(), /Step 8 of 8[\s\S]+Done after/)
    assert.equal(await served.ended, 0)
    await eventually('no process is left', () => served.processes().length === 0)
    assert.deepEqual(served.files(), [])
  })
})

backend('php-cgi').describe('serve --workers 2 with a Command in the file', () => {
  let tree: DocumentTree
  let served: ServeProcess

  before(async () => {
    tree = documentTree([])
    tree.write('index.php', '<?php echo getmypid();')
    tree.write(
      'fastcgi.conf',
      `[FASTCGI_SERVER]\n\tServerName php\n\tCommand ${pathOf('php-cgi')}\n\tProcesses 3\n[FASTCGI_LOCATION]\n\tServerNames php\n`,
    )
    served = await startServe([tree.root, '--config', `${tree.root}/fastcgi.conf`, '--workers', '2'])
  })
  after(async () => {
    await served?.stop()
    tree?.remove()
  })

  it('starts the command once for both', async () => {
    for (let request = 0; request < 10; request += 1) assert.equal((await ask(served.url)).status, 200)
    assert.equal(served.processes().filter((pid) => commandLine(pid).startsWith(pathOf('php-cgi'))).length, 3)
  })
})
