import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CountedConnections } from '../support/counted-connections.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { ask, open, read } from '../support/http-client.ts'
import { type Fake, startFake } from '../support/responder.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'
import { BROKEN_CONFIG, configOf, reloaded, reloadsOf } from '../support/served-config.ts'

const responder = fileURLToPath(new URL('../../dist/responder/index.js', import.meta.url))

/** Answers with its process and the worker's, at /slow only when the file beside it is gone. */
const APPLICATION = `import { existsSync } from 'node:fs'
import { createResponder } from '${responder}'
createResponder(async (req, res) => {
  res.write(process.pid + ' ')
  while (req.url === '/slow' && existsSync(new URL('held', import.meta.url))) await new Promise((r) => setTimeout(r, 20))
  res.end('done')
}).listen({ fd: 0 })
`

/** Of a process that may end while we look. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function workersOf(served: ServeProcess): readonly number[] {
  return served.processes().filter((pid) => pid !== served.pid && commandLine(pid).includes('main.js serve'))
}

/** Every worker gets one of two connections in turn: what both say. */
async function everyWorker(served: ServeProcess, path = '/'): Promise<ReadonlySet<string>> {
  const texts = new Set<string>()
  for (let request = 0; request < 6; request += 1) texts.add((await ask(served.url + path)).text)
  return texts
}

describe('serve --workers 2 --config', () => {
  let a: Fake
  let b: Fake
  let tree: DocumentTree
  let file: string

  before(async () => {
    a = await startFake((request) => request.answer('Content-Type: text/plain\r\n\r\na'))
    b = await startFake((request) => request.answer('Content-Type: text/plain\r\n\r\nb'))
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

  it('takes a changed file over in every worker, and tells it once', async () => {
    await using served = await startServe(['--config', file, '--workers', '2', '--watch'])
    assert.deepEqual(await everyWorker(served), new Set(['a']))
    tree.write('fastcgi.conf', configOf(b.address))
    await reloaded(served, 1)
    await eventually('both have it', async () => !(await everyWorker(served)).has('a'))
    served.kill('SIGHUP')
    await reloaded(served, 2)
    served.kill('SIGTERM')
    await served.ended
    assert.equal(reloadsOf(served), 2)
    assert.doesNotMatch(served.output(), /ended|failed/)
  })

  it('refuses a broken file before any worker hears of it, and replaces workers with the configuration that serves', async () => {
    await using served = await startServe(['--config', file, '--workers', '2'])
    tree.write('fastcgi.conf', configOf(b.address))
    served.kill('SIGHUP')
    await reloaded(served, 1)
    tree.write('fastcgi.conf', BROKEN_CONFIG)
    served.kill('SIGHUP')
    await eventually('it is refused', () => served.output().includes('The configuration is refused'))
    assert.equal(served.output().match(/fastcgi\.conf:2: /g)?.length, 1)
    const before = workersOf(served)
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await eventually('there are two others', () => {
      const workers = workersOf(served)
      return workers.length === 2 && !workers.some((pid) => before.includes(pid))
    })
    await eventually('they serve', () =>
      everyWorker(served).then(
        (texts) => texts.has('b'),
        () => false,
      ),
    )
    assert.deepEqual(await everyWorker(served), new Set(['b']))
  })

  it('takes no other configuration of which a server cannot be started', async () => {
    await using served = await startServe(['--config', file, '--workers', '2'])
    const server = '[FASTCGI_SERVER]\n\tServerName two\n\tCommand /no/such/program\n'
    tree.write('fastcgi.conf', `${server}${configOf(b.address)}`)
    served.kill('SIGHUP')
    await eventually('it is refused', () => served.output().includes('The configuration is refused'))
    assert.match(served.output(), /fastcgi\.conf: command: there is no program "\/no\/such\/program" that may be run/)
    assert.deepEqual(await everyWorker(served), new Set(['a']))
    assert.equal(reloadsOf(served), 0)
  })

  it('takes no other configuration with which the workers could not serve', async () => {
    await using served = await startServe(['--config', file, '--workers', '2'])
    const shared = configOf('/no').replace('ServerPath /no', `Command ${process.execPath}\n\tMaxConnections 3`)
    tree.write('fastcgi.conf', `[FASTCGI]\n\tWorkers 4\n${shared}`)
    served.kill('SIGHUP')
    await eventually('it is refused', () => served.output().includes('The configuration is refused'))
    assert.match(served.output(), /fastcgi\.conf: workers: 4 processes .+ 3\b/)
    assert.deepEqual(await everyWorker(served), new Set(['a']))
    assert.doesNotMatch(served.output(), /replaced/)
  })

  it('starts what the file starts once for all, lets it be while it stays, and ends it behind its last request', async () => {
    tree.write('app.mjs', APPLICATION)
    tree.write('held')
    const command = configOf('/no').replace('ServerPath /no', `Command ${process.execPath} ${tree.root}/app.mjs`)
    await using served = await startServe(['--config', file, '--workers', '2'])
    const applications = (): readonly number[] =>
      served.processes().filter((pid) => commandLine(pid).startsWith(`${process.execPath} ${tree.root}/app.mjs`))

    tree.write('fastcgi.conf', command)
    served.kill('SIGHUP')
    await reloaded(served, 1)
    const first = await everyWorker(served)
    assert.equal(first.size, 1)
    assert.deepEqual(
      [...first],
      applications().map((pid) => `${pid} done`),
    )

    tree.write('fastcgi.conf', `${command}\tReadTimeout 50s\n`)
    served.kill('SIGHUP')
    await reloaded(served, 2)
    assert.deepEqual(await everyWorker(served), first)

    const slow = await Promise.all([1, 2].map(() => open(`${served.url}/slow`)))
    tree.write('fastcgi.conf', configOf(a.address))
    served.kill('SIGHUP')
    await reloaded(served, 3)
    await eventually('both have it', async () => !(await everyWorker(served)).has('1'))
    assert.deepEqual(await everyWorker(served), new Set(['a']))
    assert.equal(applications().length, 1)
    tree.write('fastcgi.conf', configOf(b.address))
    served.kill('SIGHUP')
    await reloaded(served, 4)
    assert.equal(applications().length, 1)
    rmSync(`${tree.root}/held`)
    for (const answer of slow) assert.equal((await read(answer)).toString(), [...first][0])
    await eventually('it has ended', () => applications().length === 0)
  })
})

describe('MaxConnections of serve --workers 2', () => {
  it('is a total: all are served, and the backend never sees more', async () => {
    const counted = new CountedConnections()
    const fake = await startFake(
      async (request) => {
        await counted.settled()
        await request.answer('Content-Type: text/plain\r\n\r\nserved')
      },
      { onConnection: (connection) => counted.accept(() => !connection.ended && !connection.closed) },
    )
    const tree = documentTree()
    const file = tree.write(
      'fastcgi.conf',
      configOf(fake.address, ['QueueTimeout 100s']).replace('[FASTCGI_LOC', '\tMaxConnections 3\n[FASTCGI_LOC'),
    )
    try {
      await using served = await startServe(['--config', file, '--workers', '2'])
      const answers = await Promise.all(Array.from({ length: 300 }, () => ask(served.url)))
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
      assert.equal(counted.most, 3)
      assert.equal(fake.requests.length, 300)
    } finally {
      await fake.stop()
      tree.remove()
    }
  })
})
