import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AllowanceUser } from '../../../lib/backend/allowance.ts'
import { fixedAllowance } from '../../../lib/backend/allowance.ts'
import type { Backend } from '../../../lib/backend/backend.ts'
import type { ManagedBackend } from '../../../lib/backend/managed-backend.ts'
import { Server } from '../../../lib/backend/server.ts'
import { OptionError } from '../../../lib/errors.ts'
import { groupOf, lookupOf, only, place, serverFor, serverOptions } from '../../support/backends.ts'
import { eventually } from '../../support/eventually.ts'
import { staysQuiet } from '../../support/quiet-process.ts'

/** Addresses of a name that the test changes; asked for again at once, as their TTL has run out. */
class Name {
  addresses: readonly string[] | Error = []
  asked = 0

  readonly lookUp = lookupOf(async () => {
    this.asked += 1
    if (this.addresses instanceof Error) throw this.addresses
    return this.addresses
  })
}

function keysOf({ backends }: Server): string[] {
  return backends.map(({ key }) => key)
}

describe('Server', { timeout: 30_000 }, () => {
  staysQuiet()

  it('refuses an address that is none', () => {
    assert.throws(() => serverFor('nowhere'), OptionError)
    assert.throws(() => serverFor(null), /neither/)
  })

  it('has one backend where its address is fixed', () => {
    for (const address of ['/run/php.sock', '192.0.2.1:9000', '[2001:db8::1]:9000', '[fe80::1%eth0]:9000']) {
      const server = serverFor(address)
      assert.deepEqual([keysOf(server), server.named], [[address], false])
    }
  })

  it('shares its connections through the allowances that it is given, by address', () => {
    const asked: [string, number][] = []
    const createAllowance = (key: string, total: number, _user: AllowanceUser) => {
      asked.push([key, total])
      return fixedAllowance(2)
    }
    const server = serverFor('192.0.2.1:9', { maxConnections: 8 }, { createAllowance })
    assert.deepEqual([asked, only(server).status.maxConnections], [[['192.0.2.1:9', 8]], 2])
  })

  it('does not share one that is started here', async () => {
    const managed: ManagedBackend = {
      address: '/x/s',
      running: false,
      start: () => Promise.resolve(),
      noteAnswer: () => undefined,
      stop: async () => {
        stops += 1
      },
    }
    let stops = 0
    const server = new Server(serverOptions(null), { managed, createAllowance: () => assert.fail('not to be shared') })
    assert.deepEqual([only(server).status.state, only(server).status.address], ['stopped', null])
    await server.close()
    assert.equal(stops, 1)
  })

  it('reaches its backends and its groups with another configuration', async () => {
    const server = serverFor('192.0.2.1:9', { maxConnections: 1 })
    const group = groupOf([server])
    await place(group)
    const waiting = place(group)
    server.reconfigure(serverOptions('192.0.2.1:9', { maxConnections: 2, weight: 7 }))
    assert.equal((await waiting).backend.weight, 7)
  })
})

describe('A Server with a host name', { timeout: 30_000 }, () => {
  staysQuiet()

  it('is not asked for before its first request', async () => {
    const name = new Name()
    const server = serverFor('php.test:9', { weight: 2 }, { lookUp: name.lookUp })
    assert.deepEqual([keysOf(server), server.named, server.asked, name.asked], [[], true, false, 0])
    const [{ state, address, weight, requests } = assert.fail()] = server.status
    assert.deepEqual([state, address, weight, requests], ['stopped', 'php.test:9', 2, 0])
    await server.close()
  })

  it('has a backend for each address, with an allowance of its own', async () => {
    const name = new Name()
    name.addresses = ['192.0.2.1', '2001:db8::1']
    const asked: string[] = []
    const createAllowance = (key: string, total: number) => {
      asked.push(key)
      return fixedAllowance(total)
    }
    const server = serverFor('php.test:9', {}, { lookUp: name.lookUp, createAllowance })
    await server.resolve()
    assert.deepEqual(keysOf(server), ['192.0.2.1:9', '[2001:db8::1]:9'])
    assert.deepEqual(asked, keysOf(server))
    assert.deepEqual(
      server.status.map(({ server: of, address }) => [of, address]),
      [
        ['php', '192.0.2.1:9'],
        ['php', '[2001:db8::1]:9'],
      ],
    )
    await server.close()
  })

  it('does not ask again for a moment what could not be resolved, and tells of it', async () => {
    const name = new Name()
    let clock = 0
    name.addresses = Object.assign(new Error('no'), { code: 'ENOTFOUND' })
    const server = serverFor('php.test:9', {}, { lookUp: name.lookUp, now: () => clock })
    for (const time of [0, 500, 999]) {
      clock = time
      await assert.rejects(server.resolve(), { code: 'ERR_FCGI_CONNECT' })
    }
    assert.equal(name.asked, 1)
    const [{ state, failures, downSince, lastErrors } = assert.fail()] = server.status
    assert.deepEqual([state, failures, lastErrors[0]?.code], ['down', 1, 'ERR_FCGI_CONNECT'])
    assert.ok(Math.abs(Date.now() - (downSince ?? 0)) < 60_000)
    clock = 1000
    name.addresses = ['192.0.2.1']
    await server.resolve()
    assert.equal(only(server).key, '192.0.2.1:9')
    await server.close()
  })

  it('keeps a backend whose address stays, and drains one whose address is gone', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const name = new Name()
    name.addresses = ['192.0.2.1', '192.0.2.2']
    const lines: string[] = []
    const log = { info: (line: string) => void lines.push(line), warn: (line: string) => void lines.push(line) }
    const server = serverFor('php.test:9', { maxConnections: 1 }, { lookUp: name.lookUp, log })
    const group = groupOf([server])
    await server.resolve()
    const [first, second] = server.backends as [Backend, Backend]
    await place(group)
    await place(group)
    const waiting = place(group, { queueTimeout: 0 })
    name.addresses = ['192.0.2.3', '192.0.2.1']
    t.mock.timers.tick(30_000)
    assert.equal((await waiting).backend.key, '192.0.2.3:9', 'those who wait are admitted to the new one')
    assert.deepEqual(keysOf(server), ['192.0.2.1:9', '192.0.2.3:9'])
    assert.equal(server.backends[0], first)
    assert.deepEqual(lines, ['php: the addresses are 192.0.2.1:9, 192.0.2.3:9 now'])
    assert.deepEqual(
      server.status.map(({ address, state }) => [address, state]),
      [
        ['192.0.2.1:9', 'up'],
        ['192.0.2.3:9', 'up'],
        ['192.0.2.2:9', 'draining'],
      ],
    )
    assert.equal(second.free, false)
    second.pool.leave()
    t.mock.timers.reset()
    await eventually('the drained one is gone', () => server.status.length === 2)
    first.pool.leave()
    server.backends[1]?.pool.leave()
    await server.close()
  })

  it('warns once when a name cannot be resolved any more, and keeps its addresses', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const name = new Name()
    name.addresses = ['192.0.2.1']
    const lines: string[] = []
    const log = { info: (line: string) => void lines.push(line), warn: (line: string) => void lines.push(line) }
    const server = serverFor('php.test:9', {}, { lookUp: name.lookUp, log })
    await server.resolve()
    name.addresses = new Error('the DNS is away')
    for (let look = 0; look < 5; look += 1) {
      t.mock.timers.tick(30_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /^php: .*php\.test/)
    assert.deepEqual(keysOf(server), ['192.0.2.1:9'])
    await server.close()
  })

  it('asks no more once it is closed', async () => {
    const server = serverFor('php.test:9', {}, { lookUp: lookupOf(() => new Promise(() => undefined)) })
    const pending = assert.rejects(server.resolve(), { code: 'ERR_FCGI_CLOSED' })
    await server.close()
    await pending
  })
})
