import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, it } from 'node:test'
import { Health } from '../../lib/backend/health.ts'
import { HealthCheck, type HealthCheckOptions } from '../../lib/backend/health-check.ts'
import { parseAddress } from '../../lib/client/address.ts'
import { Connection } from '../../lib/client/connection.ts'
import type { FastCgiError } from '../../lib/errors.ts'
import { eventually } from '../support/eventually.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'

const NOBODY = {
  connectionWaits: () => undefined,
  connectionAnswers: () => undefined,
  connectionClosed: () => undefined,
}

/** The active check as php-fpm takes it; what a gateway makes of it is the integration tests' matter. */
backend('php-fpm').describe('a health check of php-fpm', () => {
  let fpm: PhpFpm
  const checks: HealthCheck[] = []

  before(async () => {
    fpm = await startPhpFpm({ children: 2, poolDirectives: ['ping.path = /ping'] })
  })
  afterEach(() => {
    for (const check of checks.splice(0)) check.close()
  })
  after(() => fpm?.stop())

  /** Everything that happens to a backend at an address, and how many checks were answered or not. */
  function watch(
    page: Partial<HealthCheckOptions>,
    address: string = fpm.address,
  ): { events: string[]; asked: () => number; error: () => FastCgiError | null } {
    const events: string[] = []
    let asked = 0
    let last: FastCgiError | null = null
    const health = new Health(
      { maxFails: 2, failTimeout: 20, checked: true },
      {
        now: () => performance.now(),
        onDown: (error) => {
          last = error
          events.push(`down ${error.code}`)
        },
        onUp: () => events.push('up'),
      },
    )
    const connections = {
      borrow: () => {
        asked += 1
        return new Connection(parseAddress(address), NOBODY)
      },
      checkIn: (connection: Connection) => connection.close('not kept'),
    }
    const check = new HealthCheck(
      { interval: 10, timeout: 20_000, ping: null, script: null, ...page },
      { health, connections },
    )
    checks.push(check)
    check.start()
    return { events, asked: () => asked, error: () => last }
  }

  function script(name: string, source: string): string {
    const path = join(fpm.directory, name)
    writeFileSync(path, source)
    return path
  }

  it('is answered by ping.path, which is no script', async () => {
    const watched = watch({ ping: '/ping' })
    await eventually('five checks', () => watched.asked() > 5)
    assert.deepEqual(watched.events, [])
  })

  it('is refused by a ping path that php-fpm does not know, and told what to look at', async () => {
    const watched = watch({ ping: '/pong' })
    await eventually('it is down', () => watched.events.length > 0)
    assert.deepEqual(watched.events, ['down ERR_FCGI_BAD_RESPONSE'])
    assert.match(watched.error()?.detail ?? '', /status 404.*ping\.path/)
  })

  it('runs a script, which sees who asks', async () => {
    const seen = join(fpm.directory, 'seen.json')
    // Written aside and renamed: the next check may be writing while the test reads.
    const path = script(
      'seen.php',
      `<?php $seen = ${JSON.stringify(seen)};
      file_put_contents("$seen.new", json_encode($_SERVER)); rename("$seen.new", $seen); echo 'well';`,
    )
    const watched = watch({ script: path })
    await eventually('five checks', () => watched.asked() > 5)
    assert.deepEqual(watched.events, [])
    const server = JSON.parse(readFileSync(seen, 'utf8')) as Record<string, string>
    assert.equal(server.SCRIPT_FILENAME, path)
    assert.equal(server.SCRIPT_NAME, '/seen.php')
    assert.equal(server.PHP_SELF, '/seen.php')
    assert.equal(server.REQUEST_METHOD, 'GET')
    assert.match(server.HTTP_USER_AGENT ?? '', /health check$/)
  })

  it('follows a script that says unwell, then well: the way to take a backend out for a while', async () => {
    const flag = join(fpm.directory, 'maintenance')
    const path = script(
      'health.php',
      `<?php clearstatcache(); if (file_exists(${JSON.stringify(flag)})) http_response_code(503);`,
    )
    const watched = watch({ script: path })
    await eventually('three checks', () => watched.asked() > 3)
    writeFileSync(flag, '')
    await eventually('it is down', () => watched.events.length === 1)
    rmSync(flag)
    await eventually('it is up', () => watched.events.length === 2)
    assert.deepEqual(watched.events, ['down ERR_FCGI_BAD_RESPONSE', 'up'])
    assert.match(watched.error()?.detail ?? '', /503/)
  })

  it('is told of a script that is not there', async () => {
    const watched = watch({ script: join(fpm.directory, 'absent.php') })
    await eventually('it is down', () => watched.events.length > 0)
    assert.deepEqual(watched.events, ['down ERR_FCGI_BAD_RESPONSE'])
  })

  it('notices a php-fpm that has been stopped with SIGSTOP, and its return', async () => {
    const other = await startPhpFpm({ children: 1, poolDirectives: ['ping.path = /ping'] })
    try {
      const watched = watch({ ping: '/ping', timeout: 300 }, other.address)
      await eventually('three checks', () => watched.asked() > 3)
      other.kill('SIGSTOP')
      await eventually('it is down', () => watched.events.length === 1)
      other.kill('SIGCONT')
      await eventually('it is up', () => watched.events.at(-1) === 'up')
      assert.equal(watched.events[0], 'down ERR_FCGI_TIMEOUT')
    } finally {
      await other.stop()
    }
  })

  it('notices a php-fpm that was killed', async () => {
    const other = await startPhpFpm({ children: 1, poolDirectives: ['ping.path = /ping'] })
    const watched = watch({ ping: '/ping' }, other.address)
    await eventually('three checks', () => watched.asked() > 3)
    await other.stop()
    await eventually('it is down', () => watched.events.length === 1)
    assert.match(watched.events[0] ?? '', /^down ERR_FCGI_(?:CONNECT|RESET)$/)
  })
})
