import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { connect, createServer as createNetServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, it } from 'node:test'
import type { FastCgiError, FastCgiOptions } from '../../lib/index.ts'
import { freePort } from '../support/backend.ts'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, open, read } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { backend } from '../support/require-backend.ts'
import { rawRequest } from '../support/site.ts'

backend('php-fpm').describe('php-fpm that fails', () => {
  let fpm: PhpFpm
  let place: PrivateDirectory
  const gateways: Gateway[] = []
  let turn = 0
  let gate: string
  let marker: string

  before(async () => {
    place = privateDirectory('fail')
    fpm = await startPhpFpm({ children: 4 })
  })
  beforeEach(() => {
    turn += 1
    gate = join(place.path, `gate-${turn}`)
    marker = join(place.path, `marker-${turn}`)
  })
  after(async () => {
    for (const gateway of gateways) await gateway.close()
    await fpm?.stop()
    place?.remove()
  })

  /** php-fpm calls a child busy while an idle connection is open to it, hence the short idleTimeout. */
  async function serveWith(options: FastCgiOptions = {}): Promise<Gateway> {
    const gateway = await serve({ root: phpRoot, server: { address: fpm.address, idleTimeout: 200 }, ...options })
    gateways.push(gateway)
    return gateway
  }

  function code(gateway: Gateway): string | undefined {
    return (gateway.errors.at(-1) as FastCgiError | undefined)?.code
  }

  async function childrenAreIdle(): Promise<void> {
    await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
  }

  it('answers 502 when nobody listens on the port', async () => {
    const gateway = await serveWith({ server: `127.0.0.1:${await freePort()}` })
    assert.equal((await ask(`${gateway.url}/server.php`)).status, 502)
    assert.equal(code(gateway), 'ERR_FCGI_CONNECT')
  })

  it('answers 502 when there is no socket, and says only to the log where it looked', async () => {
    const path = join(place.path, 'nobody.sock')
    const gateway = await serveWith({ server: path })
    const answer = await ask(`${gateway.url}/server.php`)
    assert.equal(answer.status, 502)
    assert.equal(code(gateway), 'ERR_FCGI_CONNECT')
    assert.ok(!answer.text.includes(place.path), answer.text)
    assert.match(gateway.log.join('\n'), new RegExp(path))
  })

  for (const keepAlive of [false, true]) {
    const mode = `keepAlive ${keepAlive ? 'on' : 'off'}`

    it(`answers 504 when a script is silent, and goes on afterwards, ${mode}`, async () => {
      const gateway = await serveWith({ readTimeout: 300, keepAlive })
      assert.equal((await ask(`${gateway.url}/hold.php?gate=${gate}`)).status, 504)
      assert.equal(code(gateway), 'ERR_FCGI_READ_TIMEOUT')
      writeFileSync(gate, '')
      assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
      await childrenAreIdle()
    })

    it(`answers 504 when the whole backend is silent, and goes on when it is back, ${mode}`, async () => {
      const gateway = await serveWith({ readTimeout: 300, keepAlive })
      assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
      fpm.kill('SIGSTOP')
      try {
        assert.equal((await ask(`${gateway.url}/process.php`)).status, 504)
      } finally {
        fpm.kill('SIGCONT')
      }
      await eventually('it answers again', async () => (await ask(`${gateway.url}/process.php`)).status === 200)
    })

    it(`answers 502 when the child dies before it has answered, ${mode}`, async () => {
      const gateway = await serveWith({ keepAlive })
      const answer = await ask(`${gateway.url}/die.php?how=kill`, { method: 'POST', body: 'once' })
      assert.equal(answer.status, 502)
      assert.match(String(code(gateway)), /^ERR_FCGI_(RESET|TRUNCATED)$/)
      assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    })

    for (const length of ['', '&length=5000000']) {
      it(`destroys the client's connection when the child dies in the body, ${mode}, ${length === '' ? 'chunked' : 'Content-Length'}`, async () => {
        const gateway = await serveWith({ keepAlive })
        const message = await open(`${gateway.url}/die.php?how=kill&after=1000000${length}`)
        assert.equal(message.statusCode, 200)
        await assert.rejects(read(message), { code: 'ECONNRESET' })
        const raw = await rawRequest(
          gateway.port,
          `GET /die.php?how=kill&after=100${length} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        ).catch(() => Buffer.alloc(0))
        assert.doesNotMatch(raw.toString('latin1'), /\r\n0\r\n\r\n$/, 'the answer was ended as if it were whole')
        assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
      })
    }

    it(`frees the child when the client leaves a script that writes, ${mode}`, async () => {
      const gateway = await serveWith({ keepAlive })
      const message = await open(`${gateway.url}/abort.php?marker=${marker}`)
      await once(message, 'data')
      message.destroy()
      await eventually('PHP has noticed', () => existsSync(marker))
      await childrenAreIdle()
    })

    it(`frees the child when the client leaves in the middle of its body, ${mode}`, async () => {
      const gateway = await serveWith({ keepAlive })
      const socket = connect(gateway.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write('POST /body.php HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n')
      socket.write('Content-Length: 10000000\r\n\r\n')
      socket.write(Buffer.alloc(1_000_000))
      await eventually('a child reads the body', async () => (await fpm.status()).activeProcesses === 1)
      socket.destroy()
      await childrenAreIdle()
      assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    })
  }

  it('takes a waiting request out of the queue when its client leaves', async () => {
    const gateway = await serveWith({ server: { address: fpm.address, maxConnections: 1 }, queueLimit: 1 })
    const waiting = (): number | undefined => gateway.handler.status().servers[0]?.waiting
    const held = ask(`${gateway.url}/hold.php?gate=${gate}&marker=${marker}`)
    await eventually('the script has begun', () => existsSync(marker))
    const impatient = connect(gateway.port, '127.0.0.1')
    impatient.write('GET /process.php HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('it waits', () => waiting() === 1)
    assert.equal((await ask(`${gateway.url}/process.php`)).status, 503)
    assert.equal(code(gateway), 'ERR_FCGI_QUEUE_FULL')
    impatient.destroy()
    await eventually('it has left the queue', () => waiting() === 0)
    const patient = ask(`${gateway.url}/process.php`).then(({ status }) => status)
    await eventually('another one waits', () => waiting() === 1)
    writeFileSync(gate, '')
    assert.equal((await held).status, 200)
    assert.equal(await patient, 200)
  })

  it('answers 503 with Retry-After when no connection becomes free in time', async () => {
    const gateway = await serveWith({ server: { address: fpm.address, maxConnections: 1 }, queueTimeout: 200 })
    const held = ask(`${gateway.url}/hold.php?gate=${gate}&marker=${marker}`)
    await eventually('the script has begun', () => existsSync(marker))
    assert.equal((await ask(`${gateway.url}/process.php`)).status, 503)
    assert.equal(code(gateway), 'ERR_FCGI_QUEUE_TIMEOUT')
    writeFileSync(gate, '')
    assert.equal((await held).status, 200)
  })

  it('destroys the connection when the whole exchange takes too long after the head was sent', async () => {
    const gateway = await serveWith({ timeout: 500 })
    const message = await open(`${gateway.url}/abort.php?marker=${marker}`)
    await assert.rejects(read(message), { code: 'ECONNRESET' })
    await eventually('PHP has noticed', () => existsSync(marker))
  })

  it('passes on what PHP makes of a fatal error', async () => {
    const gateway = await serveWith()
    const answer = await ask(`${gateway.url}/die.php?how=fatal`)
    assert.equal(answer.status, 500)
    assert.match(gateway.log.join('\n'), /undefined_function/)
    assert.equal((await ask(`${gateway.url}/die.php?how=exit`)).text, 'exited\n')
  })

  it('hands an error page of the script to next(error) with interceptErrors', async () => {
    const gateway = await serveWith({ interceptErrors: true })
    const answer = await ask(`${gateway.url}/status.php?code=404`)
    assert.equal(answer.status, 404)
    assert.ok(!answer.text.includes('status 404'))
    assert.equal((gateway.errors.at(-1) as FastCgiError).status, 404)
  })

  it('survives the death of the whole backend in the middle', async () => {
    const doomed = await startPhpFpm({ children: 2 })
    const gateway = await serveWith({ server: doomed.address, keepAlive: true })
    try {
      const held = ask(`${gateway.url}/hold.php?gate=${gate}&marker=${marker}`)
      await eventually('the script has begun', () => existsSync(marker))
      doomed.kill('SIGKILL')
      assert.equal((await held).status, 502)
      await eventually('nobody holds the socket any more', () => doomed.processes().length === 0)
      assert.equal((await ask(`${gateway.url}/process.php`)).status, 502)
      assert.equal(code(gateway), 'ERR_FCGI_CONNECT')
    } finally {
      await doomed.stop()
    }
  })

  for (const [what, talk, expected] of [
    ['speaks HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', /^ERR_FCGI_PROTOCOL$/],
    ['closes at once', '', /^ERR_FCGI_(RESET|TRUNCATED)$/],
    ['answers another request id', '\x01\x06\x00\x02\x00\x04\x00\x00\r\n\r\n', /^ERR_FCGI_PROTOCOL$/],
  ] as const) {
    it(`answers 502 when the backend ${what}`, async () => {
      const port = await freePort()
      const server: Server = createNetServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => socket.end(talk, 'latin1'))
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      try {
        const gateway = await serveWith({ server: `127.0.0.1:${port}` })
        assert.equal((await ask(`${gateway.url}/server.php`)).status, 502)
        assert.match(String(code(gateway)), expected)
      } finally {
        server.close()
      }
    })
  }
})
