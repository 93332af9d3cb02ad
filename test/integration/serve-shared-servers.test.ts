import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SharedServers } from '../../lib/cli/serve-shared-servers.ts'
import type { FastCgiOptions, ServerOptions } from '../../lib/index.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'

const responder = fileURLToPath(new URL('../../dist/responder/index.js', import.meta.url))

const APPLICATION = `import { createResponder } from '${responder}'
createResponder((req, res) => res.end()).listen({ fd: 0 })
`

const SILENT = { error: () => undefined, warn: () => undefined, info: () => undefined }

/** Each server that runs has a private directory of this process. */
function running(): number {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`express-fastcgi-run-${process.pid}-`)).length
}

describe('the servers that workers share', () => {
  let tree: DocumentTree
  let shared: SharedServers
  let one: ServerOptions
  let other: ServerOptions

  before(() => {
    tree = documentTree()
    const command = [process.execPath, tree.write('app.mjs', APPLICATION)]
    one = { name: 'one', command, maxConnections: 7 }
    other = { name: 'other', command, processes: 1 }
  })
  after(() => tree.remove())
  beforeEach(() => {
    shared = new SharedServers(SILENT)
  })
  afterEach(async () => {
    await shared.stop()
    assert.equal(running(), 0)
  })

  const optionsOf = (...servers: ServerOptions[]): FastCgiOptions => ({ servers, match: /^/, root: tree.root })

  it('are given to the workers by their address, with what else is said of them', async () => {
    const fixed: ServerOptions = { name: 'fixed', address: '/run/php.sock' }
    const { options, retired } = await shared.share(optionsOf(one, fixed))
    const [{ address, ...others } = { address: '' }, last] = options.servers ?? []
    assert.ok(existsSync(address ?? ''))
    assert.deepEqual(others, { name: 'one', maxConnections: 7, restarts: true })
    assert.deepEqual([last, retired], [fixed, []])
  })

  it('stay where they are when other things change', async () => {
    const { options: first } = await shared.share(optionsOf(one))
    const { options, retired } = await shared.share({
      ...optionsOf({ ...one, maxConnections: 8 }, other),
      keepAlive: true,
    })
    assert.equal(options.servers?.[0]?.address, first.servers?.[0]?.address)
    assert.deepEqual([running(), retired], [2, []])
  })

  it('are others when their command, processes or root are', async () => {
    await shared.share(optionsOf(one, other))
    const { retired } = await shared.share(optionsOf({ ...one, processes: 2 }, other))
    assert.deepEqual(
      retired.map(({ name }) => name),
      ['one'],
    )
    assert.equal((await shared.share({ ...optionsOf({ ...one, processes: 2 }, other), root: '/' })).retired.length, 2)
    assert.equal(running(), 5)
  })

  it('run until they are ended', async () => {
    await shared.share(optionsOf(one, other))
    const { retired } = await shared.share(optionsOf(other))
    assert.equal(running(), 2)
    await shared.end(retired)
    assert.equal(running(), 1)
  })

  it('are as before when one of the new cannot be started', async () => {
    const { options: first } = await shared.share(optionsOf(one))
    const broken: ServerOptions = { name: 'broken', command: '/no/such/program' }
    await assert.rejects(shared.share(optionsOf(other, broken)), /there is no program "\/no\/such\/program"/)
    assert.equal(running(), 1)
    const { options, retired } = await shared.share(optionsOf(one))
    assert.equal(options.servers?.[0]?.address, first.servers?.[0]?.address)
    assert.deepEqual(retired, [])
  })
})
