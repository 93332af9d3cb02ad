import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'
import { ManagedServer } from '../../lib/process/managed-server.ts'
import { processesOfGroup } from '../support/backend.ts'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, askJson } from '../support/http-client.ts'
import { signalProcess, startedAddress, startedProcesses, startLoad, supervisorOf } from '../support/managed.ts'
import { signalGroup } from '../support/private-directory.ts'
import { backend, pathOf } from '../support/require-backend.ts'

/** How many times a process is killed under load. */
const KILLS = 5

for (const name of ['php-fpm', 'php-cgi'] as const) {
  for (const keepAlive of [false, true]) {
    backend(name).describe(`a ${name} of ours, keepAlive ${keepAlive ? 'on' : 'off'}`, () => {
      let gateway: Gateway

      before(async () => {
        process.env.PHP_FCGI_MAX_REQUESTS = '5'
        gateway = await serve({
          root: phpRoot,
          servers: [{ name: 'php', command: pathOf(name), processes: 3 }],
          keepAlive,
          // A request may be hit twice: its kept connection ends with a process's fifth request, the new one with a kill.
          retries: 2,
        })
      })
      after(async () => {
        delete process.env.PHP_FCGI_MAX_REQUESTS
        await gateway.close()
      })

      it('starts with the first request', async () => {
        assert.deepEqual(gateway.log, [])
        const server = await askJson(`${gateway.url}/server.php/path?a=b`)
        assert.equal(server.PATH_INFO, '/path')
        assert.equal(gateway.log.length, 1, gateway.log.join('\n'))
        assert.ok(existsSync(startedAddress(gateway.log)))
      })

      it('has as many processes as it is told to', async () => {
        // On a busy machine the second and third may come behind the first answer.
        if (name === 'php-cgi') return eventually('all are there', () => startedProcesses(gateway.log).length === 3)
        const [master = 0] = startedProcesses(gateway.log)
        await eventually('its children are there', () => processesOfGroup(master).length === 4)
      })

      it('keeps a session', async () => {
        const first = await ask(`${gateway.url}/session.php`)
        const cookie = String(first.headers['set-cookie']).split(';', 1)[0] ?? ''
        for (const visits of ['2', '3']) {
          assert.equal((await ask(`${gateway.url}/session.php`, { headers: { cookie } })).text, visits)
        }
      })

      it('loses none of 500 requests, though php-cgi ends after every fifth', async () => {
        const processes = new Set<string>()
        const client = async (): Promise<void> => {
          for (let count = 0; count < 50; count += 1) {
            const answer = await ask(`${gateway.url}/process.php`)
            assert.equal(answer.status, 200, gateway.log.at(-1))
            processes.add(answer.text)
          }
        }
        await Promise.all(Array.from({ length: 10 }, client))
        assert.ok(name === 'php-fpm' || processes.size >= 100, `${processes.size} processes`)
      })

      it('loses no GET when the processes that answer are killed under load', async () => {
        const load = startLoad(gateway, '/sleep.php?ms=3', 8)
        for (let kill = 0; kill < KILLS; kill += 1) {
          const { text } = await ask(`${gateway.url}/process.php`)
          signalProcess(Number(text), 'SIGKILL')
          await load.round()
        }
        const answers = await load.stop()
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], gateway.log.join('\n'))
      })

      it('loses no GET when everything that was started is killed under load', async () => {
        const load = startLoad(gateway, '/sleep.php?ms=3', 8)
        for (let kill = 0; kill < KILLS; kill += 1) {
          for (const pid of startedProcesses(gateway.log)) signalGroup(pid, 'SIGKILL')
          await load.round()
        }
        const answers = await load.stop()
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], gateway.log.join('\n'))
        assert.ok(gateway.log.some((line) => line.includes('the backend ended (SIGKILL) and is started again')))
      })

      it('starts anew when its supervisor is killed, and leaves no orphan', async () => {
        const supervisor = await supervisorOf(gateway.log)
        const pids = startedProcesses(gateway.log)
        const load = startLoad(gateway, '/sleep.php?ms=3', 4)
        process.kill(supervisor, 'SIGKILL')
        await load.round()
        const answers = await load.stop()
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], gateway.log.join('\n'))
        await eventually('no orphan is left', () => pids.every((pid) => processesOfGroup(pid).length === 0))
        assert.ok(gateway.log.some((line) => line.includes('the supervisor of the backend was killed')))
      })

      it('is gone after close(), with its directory', async () => {
        assert.equal((await ask(`${gateway.url}/process.php`)).status, 200)
        const directory = dirname(startedAddress(gateway.log))
        const pids = startedProcesses(gateway.log)
        await gateway.close()
        assert.deepEqual(pids.flatMap(processesOfGroup), [])
        assert.equal(existsSync(directory), false)
      })
    })
  }
}

backend('php-fpm').describe('a php-fpm of ours', () => {
  it('tells what it says when it does not start', async () => {
    const command = [pathOf('php-fpm'), '-c', '/nowhere', '--no-such-option']
    const gateway = await serve({ root: phpRoot, server: { command } })
    assert.equal((await ask(`${gateway.url}/process.php`)).status, 502)
    const [error] = gateway.errors as { code: string; detail: string }[]
    assert.match(`${error?.code}: ${error?.detail}`, /^ERR_FCGI_CONNECT: .*ended again and again.*its last words: /)
    const began = gateway.log.length
    await ask(`${gateway.url}/process.php`)
    assert.equal(gateway.log.filter((line) => line.startsWith('default: The backend')).length, 1)
    assert.ok(gateway.log.length > began)
    await gateway.close()
  })
})

backend('php-cgi').describe('a php-cgi of ours on a port, as on Windows', () => {
  it('serves, with as many processes as it is told to', async (t) => {
    const log: string[] = []
    const write = (message: string): void => void log.push(message)
    const server = new ManagedServer({
      name: 'php',
      command: [pathOf('php-cgi')],
      processes: 2,
      root: phpRoot,
      log: { info: write, warn: write, error: write },
      transport: 'tcp',
    })
    t.after(() => server.stop())
    await server.start()
    assert.match(server.address, /^127\.0\.0\.1:\d+$/)
    const gateway = await serve({ root: phpRoot, server: server.address })
    t.after(() => gateway.close())
    const pids = new Set<string>()
    // Which of them takes a connection is the kernel's to say.
    await eventually('both have answered', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${gateway.url}/process.php`)))
      for (const { text } of answers) pids.add(text)
      return pids.size >= 2
    })
    assert.equal(pids.size, 2)
    await gateway.close()
    await server.stop()
    await eventually('they are gone', () => [...pids].every((pid) => !existsSync(`/proc/${pid}`)))
  })
})
