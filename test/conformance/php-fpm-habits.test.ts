import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, it } from 'node:test'
import type { FastCgiError, FastCgiOptions } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, askJson, open, read } from '../support/http-client.ts'
import { type PhpFpm, type PhpFpmOptions, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { rawPairs, rawRecord } from '../support/raw-fastcgi.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { backend } from '../support/require-backend.ts'
import { rawRequest } from '../support/site.ts'

/** What php-fpm does with what it is given, one habit after the other, and how the gateway lives with each. */
backend('php-fpm').describe('the habits of php-fpm', () => {
  let fpm: PhpFpm
  let place: PrivateDirectory
  let turn = 0
  let gate: string
  let marker: string
  const running: { close(): Promise<void> }[] = []

  before(async () => {
    place = privateDirectory('habits')
    fpm = await startPhpFpm()
  })
  beforeEach(() => {
    turn += 1
    gate = join(place.path, `gate-${turn}`)
    marker = join(place.path, `marker-${turn}`)
  })
  afterEach(async () => {
    // Last in, first out: the gateways before the backends. An idle connection left open would pin a child to it.
    for (const each of running.splice(0).reverse()) await each.close()
  })
  after(async () => {
    await fpm?.stop()
    place?.remove()
  })

  async function serveWith(options: FastCgiOptions = {}): Promise<Gateway> {
    const gateway = await serve({ root: phpRoot, server: fpm.address, ...options })
    running.push(gateway)
    return gateway
  }

  async function relayed(): Promise<Relay> {
    const relay = await startRelay(fpm.address)
    running.push(relay)
    return relay
  }

  async function anotherFpm(options: PhpFpmOptions): Promise<PhpFpm> {
    const another = await startPhpFpm(options)
    running.push({ close: () => another.stop() })
    return another
  }

  it('folds names: no header of a client can take the place of another one', async () => {
    const gateway = await serveWith()
    const server = await askJson(`${gateway.url}/server.php`, {
      headers: [
        ['Host', 'a'],
        ['X_Real', 'smuggled'],
        ['X.Real', 'smuggled'],
        ['X-Real', 'true'],
        ['Proxy', 'http://evil.example/'],
        ['Redirect-Status', '500'],
        ['Redirect-Url', '/evil.php'],
      ].flat() as unknown as Record<string, string>,
    })
    assert.equal(server.HTTP_X_REAL, 'true')
    assert.equal(server.HTTP_PROXY, undefined)
    assert.equal(server.REDIRECT_STATUS, '200')
    assert.deepEqual(
      Object.keys(server).filter((name) => name.startsWith('HTTP_REDIRECT')),
      [],
    )
  })

  it('takes the last of two equal names: an operator’s param replaces what was computed, and is sent once', async () => {
    const gateway = await serveWith({
      params: { SCRIPT_FILENAME: join(phpRoot, 'process.php'), HTTP_X_REAL: 'operator', 'x-dotted.name': 'kept' },
    })
    const answer = await ask(`${gateway.url}/server.php`, { headers: { 'X-Real': 'client' } })
    assert.match(answer.text, /^\d+$/, 'the script of the params did not run')
    const second = await serveWith({ params: { HTTP_X_REAL: 'operator', REMOTE_USER: () => 'anna', SERVER_NAME: '' } })
    const server = await askJson(`${second.url}/server.php`, { headers: { 'X-Real': 'client' } })
    assert.equal(server.HTTP_X_REAL, 'operator')
    assert.equal(server.REMOTE_USER, 'anna')
    assert.equal(server.SERVER_NAME, undefined)
  })

  for (const fix of ['0', '1']) {
    it(`runs the script, never PATH_TRANSLATED, with cgi.fix_pathinfo=${fix}`, async () => {
      const another = await anotherFpm({ children: 1, ini: { 'cgi.fix_pathinfo': fix } })
      const gateway = await serveWith({ server: another.address })
      const server = await askJson(`${gateway.url}/server.php/not-a-script.txt`, {
        headers: { 'Path-Translated': join(phpRoot, 'process.php') },
      })
      assert.equal(server.SCRIPT_FILENAME, join(phpRoot, 'server.php'))
      assert.equal(server.SCRIPT_NAME, '/server.php')
      assert.equal(server.PATH_INFO, '/not-a-script.txt')
      assert.equal(server.REDIRECT_URL, undefined)
    })
  }

  it('never reads a client’s body as records: the connection that carried one is not reused', async () => {
    const relay = await relayed()
    const gateway = await serveWith({ server: relay.address, keepAlive: true })
    const forged = Buffer.concat([
      rawRecord(1, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])),
      rawRecord(
        4,
        rawPairs({
          REQUEST_METHOD: 'GET',
          SCRIPT_FILENAME: join(phpRoot, 'ini.php'),
          QUERY_STRING: 'name=memory_limit',
          PHP_VALUE: 'memory_limit=66M',
        }),
      ),
      rawRecord(4, Buffer.alloc(0)),
      rawRecord(5, Buffer.alloc(0)),
    ])
    const headers = { 'Content-Type': 'application/octet-stream' }
    for (let round = 0; round < 3; round++) {
      const answer = await ask(`${gateway.url}/early.php`, { method: 'POST', headers, body: forged })
      assert.equal(answer.text, 'refused unread\n')
      assert.equal(relay.connections, round + 1)
    }
  })

  it('keeps a connection for requests without a body, and goes to another one with a body', async () => {
    const relay = await relayed()
    const gateway = await serveWith({ server: relay.address, keepAlive: true })
    for (let round = 0; round < 3; round++) assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    assert.equal(relay.connections, 1)
    for (let round = 0; round < 3; round++) {
      assert.equal((await ask(`${gateway.url}/echo.php`, { method: 'POST', body: 'once' })).text, 'once')
      assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    }
    assert.ok(relay.connections >= 4, `${relay.connections} connections`)
  })

  it('reuses a connection that carried a body when the operator asks for it', async () => {
    const relay = await relayed()
    const gateway = await serveWith({ server: relay.address, keepAlive: true, reuseAfterBody: true })
    for (let round = 0; round < 5; round++) {
      assert.equal((await ask(`${gateway.url}/echo.php`, { method: 'POST', body: 'again' })).text, 'again')
    }
    assert.equal(relay.connections, 1)
  })

  it('gets exactly CONTENT_LENGTH bytes: what a client sends beyond is its next request', async () => {
    const gateway = await serveWith({ keepAlive: true })
    const bytes = await rawRequest(
      gateway.port,
      'POST /echo.php HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello' +
        'GET /status.php?code=299&reason=Next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    const text = bytes.toString('latin1')
    assert.match(text, /hello/)
    assert.match(text, /HTTP\/1\.1 299 Next\r\n/)
  })

  it('takes more than 64 KiB of parameters, packed whole into several records', async () => {
    const params = Object.fromEntries(
      Array.from({ length: 6 }, (_, number) => [`LONG_${number}`, String(number).repeat(40_000)]),
    )
    const gateway = await serveWith({ params })
    const server = await askJson(`${gateway.url}/server.php`)
    for (const [name, value] of Object.entries(params)) assert.equal(server[name], value)
  })

  it('takes a pair as long as a record, and a longer one is refused before anything is sent', async () => {
    const fitting = 'v'.repeat(65_535 - 'NAME'.length - 1 - 4)
    const gateway = await serveWith({ params: { NAME: fitting } })
    assert.equal((await askJson(`${gateway.url}/server.php`)).NAME, fitting)
    const tooLong = await serveWith({ params: { NAME: `${fitting}v` } })
    assert.equal((await ask(`${tooLong.url}/server.php`)).status, 431)
    assert.equal((tooLong.errors.at(-1) as FastCgiError).code, 'ERR_FCGI_PARAMS_LIMIT')
  })

  it('drops a connection on which nothing is sent, hence none is opened ahead', async () => {
    const relay = await relayed()
    const gateway = await serveWith({ server: relay.address, keepAlive: true })
    assert.equal((await ask(`${gateway.url}/not-there.php`)).status, 404)
    assert.equal(relay.connections, 0)
  })

  it('keeps a child until we close: without keepAlive the child is free as soon as it has answered', async () => {
    const another = await anotherFpm({ children: 1 })
    const gateway = await serveWith({ server: { address: another.address, maxConnections: 8 } })
    for (let round = 0; round < 20; round++) assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    await eventually('the child is idle', async () => (await another.status()).activeProcesses === 0)
  })

  it('pins a child to an idle connection: idleTimeout gives the child to another gateway', async () => {
    const another = await anotherFpm({ children: 1 })
    const server = { address: another.address, idleTimeout: 200 }
    const [one, other] = [await serveWith({ server, keepAlive: true }), await serveWith({ server, keepAlive: true })]
    for (const gateway of [one, other, one, other]) assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
  })

  it('starves nobody: a pool larger than the number of children gives idle connections up', async () => {
    const another = await anotherFpm({ children: 2 })
    const server = { address: another.address, maxConnections: 16, idleTimeout: '10m' }
    const gateway = await serveWith({ server, keepAlive: true })
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => ask(`${gateway.url}/process.php`)))
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    }
  })

  it('ends an answer with fastcgi_finish_request() while the script works on, and the next request is answered', async () => {
    const another = await anotherFpm({ children: 1 })
    const gateway = await serveWith({ server: another.address, keepAlive: true })
    const answer = await ask(`${gateway.url}/finish.php?gate=${gate}&marker=${marker}`)
    assert.equal(answer.text, 'finished\n')
    assert.ok(!existsSync(marker))
    const next = ask(`${gateway.url}/process.php`)
    writeFileSync(gate, '')
    assert.equal((await next).status, 200)
    await eventually('the work is done', () => existsSync(marker))
  })

  it('does not hear an abort while a script runs: the client’s leaving still gives its place in the pool back', async () => {
    const gateway = await serveWith({ server: { address: fpm.address, maxConnections: 1 } })
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write(`GET /hold.php?gate=${gate}&marker=${marker} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await eventually('the script has begun', () => existsSync(marker))
    socket.destroy()
    assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    writeFileSync(gate, '')
    await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
  })

  it('pins a child to a slow reader, who frees it by leaving', async () => {
    const gateway = await serveWith({ responseBuffer: '64k' })
    const message = await open(`${gateway.url}/download.php?bytes=200000000`)
    message.pause()
    await eventually('a child is busy', async () => (await fpm.status()).activeProcesses === 1)
    message.destroy()
    await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
  })

  it('says Primary script unknown for a script on no disk of its own, and our log says which one', async () => {
    const gateway = await serveWith({ checkLocal: false, root: '/srv/elsewhere' })
    const answer = await ask(`${gateway.url}/missing.php`)
    assert.equal(answer.status, 404)
    assert.equal(answer.text, 'File not found.\n')
    assert.match(gateway.log.join('\n'), /Primary script unknown/)
    assert.match(gateway.log.join('\n'), /\/srv\/elsewhere\/missing\.php/)
  })

  it('answers EAGAIN when its backlog is full, and the request waits until there is room', async () => {
    const another = await anotherFpm({ children: 1, backlog: 1 })
    const gateway = await serveWith({
      server: { address: another.address, maxConnections: 16 },
      connectTimeout: 30_000,
    })
    const held = ask(`${gateway.url}/hold.php?gate=${gate}&marker=${marker}`)
    await eventually('the script has begun', () => existsSync(marker))
    const fillers = await fillBacklog(another.address)
    const waiting = ask(`${gateway.url}/process.php`)
    // Refused at once it would be there by now: a second one, which cannot wait, comes back with a 504.
    const hasty = await serveWith({ server: another.address, connectTimeout: 300 })
    assert.equal((await ask(`${hasty.url}/process.php`)).status, 504)
    assert.equal((hasty.errors.at(-1) as FastCgiError).code, 'ERR_FCGI_CONNECT_TIMEOUT')
    for (const filler of fillers) filler.destroy()
    writeFileSync(gate, '')
    assert.equal((await held).status, 200)
    assert.equal((await waiting).status, 200)
  })

  it('takes ini settings from PHP_VALUE: a client cannot send one, the operator can', async () => {
    const gateway = await serveWith()
    const headers = { 'Php-Value': 'memory_limit=66M', 'Php-Admin-Value': 'memory_limit=66M' }
    assert.equal((await ask(`${gateway.url}/ini.php?name=memory_limit`, { headers })).text, '256M')
    const operator = await serveWith({ params: { PHP_VALUE: 'memory_limit=77M' } })
    assert.equal((await ask(`${operator.url}/ini.php?name=memory_limit`)).text, '77M')
  })

  it('ends children after pm.max_requests, which no client of kept connections notices', async () => {
    const another = await anotherFpm({ children: 2, poolDirectives: ['pm.max_requests = 3'] })
    const gateway = await serveWith({ server: another.address, keepAlive: true })
    const processes = new Set<string>()
    for (let round = 0; round < 30; round++) {
      const answer = await ask(`${gateway.url}/process.php`)
      assert.equal(answer.status, 200, answer.text)
      processes.add(answer.text)
    }
    assert.ok(processes.size >= 5, `${processes.size} processes served 30 requests`)
  })

  it('reloads at any time, which no client of idle kept connections notices', async () => {
    const another = await anotherFpm({ children: 2 })
    const gateway = await serveWith({ server: another.address, keepAlive: true })
    const first = await ask(`${gateway.url}/process.php`)
    process.kill(another.pid, 'SIGUSR2')
    await eventually('the old children are gone', () => !another.processes().includes(Number(first.text)))
    for (let round = 0; round < 10; round++) {
      const answer = await ask(`${gateway.url}/process.php`)
      assert.equal(answer.status, 200, answer.text)
      assert.notEqual(answer.text, first.text)
    }
  })

  it('is not run twice: a POST on a kept connection that has died is not sent again once it was sent', async () => {
    const gateway = await serveWith({ keepAlive: true, reuseAfterBody: true })
    for (let round = 0; round < 5; round++) {
      const counter = join(place.path, `counter-${turn}-${round}`)
      await ask(`${gateway.url}/process.php`)
      const answer = await ask(`${gateway.url}/die.php?how=kill&counter=${counter}`, { method: 'POST', body: 'x' })
      assert.equal(answer.status, 502)
      assert.equal(readFileSync(counter, 'utf8'), 'run;')
    }
  })

  it('runs scripts with spaces and 8-bit letters in their names', async () => {
    const root = join(place.path, 'names')
    mkdirSync(root)
    for (const name of ['with space.php', 'größe.php', 'plus+plus.php', '100%.php']) {
      symlinkSync(join(phpRoot, 'server.php'), join(root, name))
    }
    const gateway = await serveWith({ root })
    for (const name of ['with space.php', 'größe.php', 'plus+plus.php', '100%.php']) {
      const server = await askJson(`${gateway.url}/${encodeURIComponent(name)}/inf%C3%B6?q`)
      assert.equal(server.SCRIPT_NAME, `/${name}`)
      assert.equal(server.SCRIPT_FILENAME, join(root, name))
      assert.equal(server.PATH_INFO, '/infö')
      assert.equal(server.REQUEST_URI, `/${encodeURIComponent(name)}/inf%C3%B6?q`)
    }
  })

  it('hands 8-bit header values over as the bytes they were', async () => {
    const gateway = await serveWith()
    const bytes = await rawRequest(
      gateway.port,
      Buffer.from(
        'GET /server.php?hex=HTTP_X_BYTES HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Bytes: a\xe4\xff\r\n\r\n',
        'latin1',
      ),
    )
    assert.match(bytes.toString('latin1'), /"61e4ff"/)
  })

  it('gives an answer whose body is not read to nobody else', async () => {
    const gateway = await serveWith({ keepAlive: true })
    for (let round = 0; round < 5; round++) {
      const message = await open(`${gateway.url}/status.php?code=200`, { method: 'HEAD' })
      assert.equal((await read(message)).length, 0)
      assert.match((await ask(`${gateway.url}/process.php`)).text, /^\d+$/)
    }
  })
})

/** Connects until the backlog is full; a unix socket says so with EAGAIN. */
async function fillBacklog(path: string): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (;;) {
    const socket = connect({ path })
    const full = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false))
      socket.once('error', () => resolve(true))
    })
    if (full) return sockets
    sockets.push(socket)
  }
}
