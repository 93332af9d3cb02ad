import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import express from 'express'
import request from 'supertest'
import { fastcgi } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { startedAddress } from '../support/managed.ts'
import { backend, pathOf } from '../support/require-backend.ts'

/** Makes options with another PATH in force, and takes it back. */
async function withPath<T>(path: string, make: () => T | Promise<T>): Promise<T> {
  const { PATH } = process.env
  process.env.PATH = path
  try {
    return await make()
  } finally {
    process.env.PATH = PATH
  }
}

backend('php-fpm').describe('a PHP that is found', () => {
  it('serves a page in three lines', async () => {
    const php = fastcgi({ root: phpRoot, logger: false })
    await request(express().use(php))
      .get('/server.php')
      .expect(200, /"SCRIPT_NAME":"\/server.php"/)
    await php.close()
  })

  for (const server of [undefined, 'auto'] as const) {
    it(`is told of once, with server ${server ?? 'left out'}`, async () => {
      const gateway = await serve({ root: phpRoot, ...(server && { server }) })
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(`${gateway.url}/process.php`)))
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
      assert.equal(gateway.log.length, 1)
      assert.match(gateway.log[0] ?? '', /^default: started \/.*php-fpm[\d.]*, listening on /)
      await gateway.close()
      assert.equal(existsSync(dirname(startedAddress(gateway.log))), false)
    })
  }

  it('leaves nothing on disk when no request comes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fcgi-auto-'))
    const { TMPDIR } = process.env
    process.env.TMPDIR = folder
    const php = fastcgi({ root: phpRoot, logger: false })
    assert.deepEqual(php.status().servers[0]?.address, null)
    await php.close()
    assert.deepEqual(readdirSync(folder), [])
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    rmSync(folder, { recursive: true })
  })

  it('does not mind a client that leaves while it starts', async () => {
    const gateway: Gateway = await serve({ root: phpRoot })
    const socket = connect(gateway.port, '127.0.0.1')
    socket.end('GET /process.php HTTP/1.1\r\nHost: a\r\n\r\n')
    socket.destroySoon()
    await eventually('it has started', async () => (await ask(`${gateway.url}/process.php`)).status === 200)
    await gateway.close()
    assert.deepEqual(
      gateway.errors.filter((error) => (error as { code?: string }).code !== 'ERR_FCGI_CLIENT_GONE'),
      [],
    )
  })

  it('is started by a worker of a cluster, too', async () => {
    const script = fileURLToPath(new URL('../fixtures/gateway/cluster.ts', import.meta.url))
    const options = JSON.stringify({ root: phpRoot, logger: false })
    await promisify(execFile)(process.execPath, ['--import', 'tsx', script, options])
  })

  it('is stopped by a close() that comes while it starts', async () => {
    const gateway = await serve({ root: phpRoot })
    const answer = ask(`${gateway.url}/process.php`).catch((error: unknown) => error)
    await eventually('the request is there', () => gateway.server.listening)
    await gateway.close()
    await answer
    for (const line of gateway.log.filter((one) => one.includes(': started '))) {
      assert.equal(existsSync(dirname(startedAddress([line]))), false)
    }
  })
})

backend('php-cgi').describe('where there is no php-fpm', () => {
  it('php-cgi is found', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fcgi-path-'))
    after(() => rmSync(folder, { recursive: true }))
    mkdirSync(join(folder, 'bin'))
    symlinkSync(pathOf('php-cgi'), join(folder, 'bin/php-cgi'))
    const command = join(folder, 'bin/php-cgi')
    const gateway = await serve({ root: phpRoot, server: { command: [command], processes: 2 } })
    assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
    assert.match(gateway.log[0] ?? '', /started .*\/bin\/php-cgi/)
    await gateway.close()
  })
})

describe('a command in a file', () => {
  it('is found relative to the file, and in PATH where it has no slash', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fcgi-file-'))
    after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'app'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    const file = join(folder, 'a.conf')
    const write = (command: string): void =>
      writeFileSync(
        file,
        `[FASTCGI_SERVER]\n ServerName a\n Command ${command}\n[FASTCGI_LOCATION]\n ServerNames a\n DocumentRoot .\n`,
      )
    for (const command of ['./app --x', "'./app'"]) {
      write(command)
      fastcgi(file)
    }
    write('app')
    assert.throws(() => fastcgi(file), /there is no program "app"/)
    await withPath(`${folder}${delimiter}/bin`, () => fastcgi(file))
  })
})

describe('a backend of ours that does not run', () => {
  it('fails requests at once after it was given up, a POST too, and its words reach the log escaped', async () => {
    const command = ['/bin/sh', '-c', 'printf "a\\033[31mb\\n"; exit 1']
    const gateway = await serve({ server: { command }, scriptFilename: '/app', match: /^/ })
    const question = { method: 'POST', body: 'x' }
    for (let round = 0; round < 3; round += 1) assert.equal((await ask(gateway.url, question)).status, 502)
    const [, second] = gateway.errors as { detail: string }[]
    assert.match(second?.detail ?? '', /is not running: it ended again and again \(exit code 1\); its last words: a/)
    assert.ok(gateway.log.includes('default: a\\x1b[31mb'), gateway.log.join('\n'))
    assert.equal(
      gateway.log.filter((line) => line.startsWith('default: The backend, /bin/sh, is not running')).length,
      1,
    )
    await gateway.close()
  })
})
