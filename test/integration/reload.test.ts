import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ConfigError, FastCgiError, fastcgi, OptionError } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Breakable, Held, type ManySite, manySite } from '../support/many-site.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { listen } from '../support/site.ts'

function backendsOf(site: ManySite): [Breakable, Breakable] {
  const [a, b] = site.backends
  if (a === undefined || b === undefined) return assert.fail('there are two')
  return [a, b]
}

/** Only these backends are configured. */
function reloadWith(site: ManySite, ...backends: readonly Breakable[]): void {
  site.handler.reload({ ...site.options, servers: backends.map(({ options }) => options) })
}

function states({ handler }: ManySite): string[] {
  return handler.status().servers.map(({ server, state }) => `${server} ${state}`)
}

describe('handler.reload', { timeout: 60_000 }, () => {
  it('keeps the connections, the health and the counters of a server that stays', async () => {
    await using site = await manySite({
      servers: [{}, { maxFails: 1, failTimeout: '1h' }],
      balance: 'fill',
      keepAlive: true,
    })
    const [a, b] = backendsOf(site)
    for (let count = 0; count < 3; count += 1) await site.ask('/')
    await b.goAway()
    a.script = (request) => request.connection.close()
    await site.ask('/') // a resets, and b is missed at the second attempt of the next one
    a.script = (request) => request.answer('A: b\r\n\r\na')
    const before = site.handler.status()
    site.handler.reload({ ...site.options, servers: [b.options, { ...a.options, maxConnections: 9, weight: 4 }] })
    const after = site.handler.status()
    const [statusB, statusA] = after.servers
    assert.deepEqual(statusA, { ...before.servers[0], maxConnections: 9, weight: 4 })
    assert.deepEqual(statusB, before.servers[1])
    assert.deepEqual([before.reloads, after.reloads], [0, 1])
    const { count } = a.fake.connections
    await site.ask('/')
    reloadWith(site, a)
    await site.ask('/')
    assert.equal(a.fake.connections.count, count + 1, 'one kept connection for both')
  })

  it('serves the next request with the new configuration, and those under way with theirs', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill' })
    const [a, b] = backendsOf(site)
    reloadWith(site, a)
    const held = new Held()
    a.script = held.script((request) => request.answer('A: b\r\n\r\na'))
    const underWay = site.ask('/')
    await eventually('it is under way', () => held.length === 1)
    reloadWith(site, b)
    assert.equal((await site.ask('/')).from, 'b')
    assert.deepEqual(states(site), ['b up', 'a draining'])
    held.letGo()
    assert.equal((await underWay).from, 'a')
    await eventually('a is gone', () => states(site).join() === 'b up')
    await a.fake.until(() => a.fake.connections.open === 0)
    assert.match(site.log.join('\n'), /Configuration reloaded; servers that stay: none; new: b; gone: a$/m)
  })

  it('closes the idle connections of a server that is gone', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill', keepAlive: true })
    const [a, b] = backendsOf(site)
    await site.ask('/')
    assert.equal(a.fake.connections.open, 1)
    reloadWith(site, b)
    await a.fake.until(() => a.fake.connections.open === 0)
    assert.deepEqual(states(site), ['b up'])
  })

  it('serves those who wait for a server that is gone', async () => {
    await using site = await manySite({ servers: [{ maxConnections: 1 }, {}], balance: 'fill' })
    const [a, b] = backendsOf(site)
    reloadWith(site, a)
    const held = new Held()
    a.script = held.script((request) => request.answer('A: b\r\n\r\na'))
    const answers = [site.ask('/1')]
    await eventually('one is served', () => held.length === 1)
    answers.push(site.ask('/2'))
    await eventually('one waits', () => site.handler.status().servers[0]?.waiting === 1)
    reloadWith(site, b)
    held.letGo()
    await eventually('the other one is served', () => held.length === 1)
    held.letGo()
    assert.deepEqual(
      (await Promise.all(answers)).map(({ from }) => from),
      ['a', 'a'],
    )
  })

  it('takes a server back that was on its way out', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill', keepAlive: true })
    const [a, b] = backendsOf(site)
    const held = new Held()
    a.script = held.script((request) => request.answer('A: b\r\n\r\na'))
    const underWay = site.ask('/')
    await eventually('it is under way', () => held.length === 1)
    reloadWith(site, b)
    reloadWith(site, a)
    assert.equal(states(site)[0], 'a up')
    held.letGo()
    await underWay
    await eventually('the first configuration is over', () => site.handler.status().servers[0]?.idle === 1)
    a.script = (request) => request.answer('A: b\r\n\r\na')
    assert.equal((await site.ask('/')).from, 'a')
    assert.equal(a.fake.connections.count, 1)
  })

  it('makes a server anew that is being closed when it comes back', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill', keepAlive: true })
    const [a, b] = backendsOf(site)
    await site.ask('/')
    for (let turn = 0; turn < 20; turn += 1) {
      reloadWith(site, b)
      for (let step = 0; step < turn; step += 1) await Promise.resolve()
      reloadWith(site, a)
      assert.equal((await site.ask('/')).from, 'a')
    }
  })

  it('makes a server of the same name with another address, or another idleTimeout, anew', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill', keepAlive: true })
    const [a, b] = backendsOf(site)
    reloadWith(site, a)
    await site.ask('/')
    site.handler.reload({ ...site.options, servers: [{ ...a.options, idleTimeout: '5s' }] })
    await a.fake.until(() => a.fake.connections.open === 0)
    site.handler.reload({ ...site.options, servers: [{ ...b.options, name: 'a' }] })
    assert.equal((await site.ask('/')).from, 'b')
    assert.deepEqual(states(site), ['a up'])
  })

  it('refuses a broken configuration by throwing, and changes nothing', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill', keepAlive: true })
    const [a] = backendsOf(site)
    await site.ask('/')
    const { uptime: _, ...before } = site.handler.status()
    const broken = [
      { ...site.options, balance: 'best' as 'fill' },
      { ...site.options, servers: [] },
      { ...site.options, servers: [{ name: 'c', address: 'nowhere' }, a.options] },
      {
        ...site.options,
        servers: [
          { name: 'd', address: '127.0.0.1:9' },
          { name: 'c', command: '/no/such/program' },
        ],
      },
      { ...site.options, match: '/{unbalanced' },
      '/no/such/file.conf',
    ]
    for (const configuration of broken) {
      const isMistake = (error: unknown): boolean => error instanceof OptionError || error instanceof ConfigError
      assert.throws(() => site.handler.reload(configuration), isMistake)
      const { uptime: __, ...after } = site.handler.status()
      assert.deepEqual(after, before)
    }
    assert.equal((await site.ask('/')).from, 'a')
    assert.equal(a.fake.connections.count, 1)
    site.handler.reload()
    assert.equal(site.handler.status().reloads, 1, 'the last good one counts')
  })

  it('reads the same file again when it is given none', async (t) => {
    const directory = privateDirectory('reload')
    t.after(() => directory.remove())
    t.mock.method(console, 'info', () => undefined)
    t.mock.method(console, 'error', () => undefined)
    await using scene = await manySite({ servers: [{}, {}] })
    const file = join(directory.path, 'fastcgi.conf')
    const write = (server: Breakable, more = ''): void => {
      const location = '[FASTCGI_LOCATION]\n  ServerNames s\n  Match ^/\n  ScriptFilename /app/x.php\n'
      writeFileSync(file, `[FASTCGI_SERVER]\n  ServerName s\n  ServerPath ${server.fake.address}\n${location}${more}`)
    }
    const [a, b] = backendsOf(scene)
    write(a)
    const handler = fastcgi(file)
    const site = await listen((req, res) => handler(req, res))
    const from = async (): Promise<string> => (await fetch(site.url)).text()
    assert.equal(await from(), 'a')
    write(b)
    assert.equal(await from(), 'a', 'not by itself')
    handler.reload()
    assert.equal(await from(), 'b')
    write(a, '  NoSuchDirective 1\n')
    assert.throws(() => handler.reload(), /NoSuchDirective/)
    assert.equal(await from(), 'b')
    write(a)
    handler.reload()
    assert.equal(await from(), 'a')
    await site.close()
    await handler.close()
  })

  it('changes the logger, also of servers that stay', async () => {
    await using site = await manySite({ servers: [{ maxFails: 1, failTimeout: '1h' }, {}], balance: 'fill' })
    const lines: string[] = []
    const note = (line: string): void => void lines.push(line)
    site.handler.reload({ ...site.options, logger: { info: note, warn: note, error: note } })
    assert.match(lines[0] ?? '', /^Configuration reloaded; servers that stay: a, b; new: none; gone: none$/)
    const [a] = backendsOf(site)
    await a.goAway()
    await site.ask('/')
    assert.match(lines[1] ?? '', /^a \(.*\) is down/)
    assert.deepEqual(site.log, [])
  })

  it('is refused once the handler is closed', async () => {
    await using site = await manySite({ servers: [{}] })
    const closing = site.handler.close()
    const isClosed = (error: unknown): boolean => error instanceof FastCgiError && error.code === 'ERR_FCGI_CLOSED'
    assert.throws(() => site.handler.reload(), isClosed)
    await closing
    assert.throws(() => site.handler.reload(), isClosed)
  })

  it('leaves nothing open when the handler is closed while requests of an old configuration are under way', async () => {
    await using site = await manySite({ servers: [{}, {}], balance: 'fill' })
    const [a, b] = backendsOf(site)
    const held = new Held()
    a.script = held.script((request) => request.answer('A: b\r\n\r\na'))
    const underWay = site.ask('/')
    await eventually('it is under way', () => held.length === 1)
    reloadWith(site, b)
    let closed = false
    const closing = site.handler.close().then(() => {
      closed = true
    })
    assert.equal((await site.ask('/')).status, 503)
    assert.equal(closed, false)
    held.letGo()
    assert.equal((await underWay).from, 'a')
    await closing
    assert.deepEqual(states(site), ['b draining'])
    assert.deepEqual([a.fake.connections.open, b.fake.connections.open], [0, 0])
  })

  it('loses no request in fifty reloads under load', async () => {
    await using site = await manySite({
      servers: [{ maxConnections: 3 }, { maxConnections: 3 }, { maxConnections: 3 }],
      keepAlive: true,
    })
    const [a, b, c] = site.backends as [Breakable, Breakable, Breakable]
    const lineups = [[a], [a, b], [b, c], [c], [a, b, c]]
    let over = false
    let answered = 0
    const clients = Array.from({ length: 12 }, async (_, index) => {
      while (!over) {
        const { status, raw } = await site.ask(`/${index}`, index % 3 === 0 ? 'POST' : 'GET', `192.0.2.${index}`)
        assert.equal(status, 200, raw)
        answered += 1
      }
    })
    for (let count = 1; count <= 50; count += 1) {
      const seen = answered
      reloadWith(site, ...(lineups[count % lineups.length] ?? [a]))
      await eventually('requests go on', () => answered > seen)
    }
    over = true
    await Promise.all(clients)
    reloadWith(site, b)
    await eventually('the others are gone', () => states(site).join() === 'b up')
    assert.equal(site.handler.status().reloads, 51)
    await a.fake.until(() => a.fake.connections.open === 0)
    await c.fake.until(() => c.fake.connections.open === 0)
  })
})
