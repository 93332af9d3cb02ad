import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { FastCgiError, OptionError } from '../../../lib/errors.ts'
import { ManagedServer, type ManagedServerOptions } from '../../../lib/process/managed-server.ts'
import { EMBEDDED_MAIN } from '../../../lib/process/programs.ts'
import { eventually } from '../../support/eventually.ts'

/** A server of one command, and its log. */
function manage(command: readonly string[], options: Partial<ManagedServerOptions> = {}) {
  const log: string[] = []
  const write = (level: string) => (message: string) => void log.push(`${level}: ${message}`)
  const server = new ManagedServer({
    name: 'app',
    command,
    processes: null,
    root: null,
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    ...options,
  })
  return { server, log }
}

const refusedWith = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof FastCgiError, String(error))
  assert.match(`${error.code}: ${error.detail}`, pattern)
  return true
}

describe('ManagedServer', () => {
  it('refuses a program that is not there, and options of php-fpm that are ours', () => {
    assert.throws(
      () => manage(['no-such-program']),
      new OptionError('command: there is no program "no-such-program" that may be run'),
    )
    assert.throws(() => manage([]), OptionError)
  })

  it('leaves nothing on disk before it is started, nor after it was stopped', async () => {
    const { server, log } = manage(['/bin/sleep', '60'])
    const directory = dirname(server.address)
    assert.equal(existsSync(directory), false)
    await server.start()
    assert.ok(existsSync(server.address))
    assert.equal(server.running, true)
    await server.stop()
    assert.equal(server.running, false)
    assert.equal(existsSync(directory), false)
    assert.deepEqual(log, [`info: app: started /bin/sleep, listening on ${server.address}`])
  })

  it('starts nothing after it was stopped', async () => {
    const { server } = manage(['/bin/sleep', '60'])
    await server.stop()
    await assert.rejects(server.start(), refusedWith(/^ERR_FCGI_CLOSED/))
    assert.equal(existsSync(dirname(server.address)), false)
  })

  it('starts once for all that ask at once', async () => {
    const { server, log } = manage(['/bin/sleep', '60'])
    await Promise.all([server.start(), server.start(), server.start()])
    await server.stop()
    assert.equal(log.length, 1)
  })

  for (const program of ['false', 'true']) {
    it(`reports a crash loop of ${program} once, with an error, and stops`, async () => {
      const { server, log } = manage([program])
      await server.start()
      await eventually('it is given up', () => !server.running)
      await assert.rejects(
        server.start(),
        refusedWith(/^ERR_FCGI_CONNECT: The backend, .*, is not running: it ended again/),
      )
      await eventually('the directory is gone', () => !existsSync(dirname(server.address)))
      assert.deepEqual(
        log.map((line) => line.split(':', 1)[0]),
        ['info', 'error'],
      )
      await server.stop()
    })
  }

  it('tells the last words of what does not run, and logs every line', async () => {
    const { server, log } = manage(['/bin/sh', '-c', 'echo one; echo "two $0" >&2; exit 1', 'x'])
    await server.start()
    await eventually('it is given up', () => !server.running)
    await assert.rejects(server.start(), refusedWith(/its last words: .*two x/))
    for (const line of ['warn: app: one', 'warn: app: two x']) assert.ok(log.includes(line), line)
    await server.stop()
  })

  it('does not give up what has answered in between', async () => {
    const { server, log } = manage(['/bin/sh', '-c', 'echo started; exit 1'])
    await server.start()
    const starts = () => log.filter((line) => line.endsWith(': started')).length
    for (let count = 1; count <= 8; count += 1) {
      await eventually(`start ${count}`, () => starts() >= count)
      server.noteAnswer()
    }
    assert.equal(server.running, true)
    assert.ok(
      log.some((line) => /the backend ended \(exit code 1\) and is started again in/.test(line)),
      log.join('\n'),
    )
    await server.stop()
  })

  it('starts a number of processes', async () => {
    const { server, log } = manage(['/bin/sh', '-c', 'echo ready; exec sleep 60'], { processes: 3 })
    await server.start()
    await eventually('all are ready', () => log.filter((line) => line === 'warn: app: ready').length === 3)
    await server.stop()
  })

  it('fails where a backend on a port never accepts', async () => {
    const { server } = manage([process.execPath, '-e', 'process.exit(7)', EMBEDDED_MAIN], { transport: 'tcp' })
    await assert.rejects(server.start(), refusedWith(/it ended again and again \(exit code 7\)/))
    await server.stop()
  })

  it('refuses where sockets are no file descriptors what cannot listen by itself', () => {
    assert.throws(
      () => manage(['/bin/sleep'], { transport: 'tcp' }),
      /only php-cgi and the embedded PHP .* give its address/,
    )
  })
})
