import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { processesOfGroup } from '../support/backend.ts'
import { eventually } from '../support/eventually.ts'
import { phpRoot } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { parentOf } from '../support/managed.ts'
import { backend, pathOf } from '../support/require-backend.ts'

const script = fileURLToPath(new URL('../fixtures/gateway/managed.ts', import.meta.url))

/** A gateway in a process and a group of its own, with a temporary folder of its own. */
async function startGateway(command: string, folder: string, ...parameters: readonly string[]) {
  const options = JSON.stringify({ root: phpRoot, server: { command, processes: 2 } })
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', script, options, ...parameters], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  const [url] = (await once(child.stdout?.setEncoding('utf8') ?? child, 'data')) as [string]
  return { child, url: url.trim() }
}

/** The processes that the ledgers below a folder tell of. */
function startedBelow(folder: string): readonly number[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('express-fastcgi-run-'))
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name, 'processes.json'), 'utf8')) as { pid: number }[])
    .map(({ pid }) => pid)
}

for (const name of ['php-fpm', 'php-cgi'] as const) {
  backend(name).describe(`a ${name} of ours`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'fcgi-ends-'))
    after(() => rmSync(folder, { recursive: true }))

    /** Nothing runs and nothing lies about. */
    async function nothingIsLeft(pids: readonly number[]): Promise<void> {
      await eventually('no process is left', () => pids.every((pid) => processesOfGroup(pid).length === 0))
      await eventually('no directory is left', () => readdirSync(folder).every((entry) => !entry.includes('-run-')))
    }

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGKILL'] as const) {
      it(`leaves nothing when the gateway and its group get ${signal}`, async () => {
        const { child, url } = await startGateway(pathOf(name), folder)
        assert.equal((await ask(`${url}/process.php`)).status, 200)
        const pids = startedBelow(folder)
        assert.ok(pids.length > 0)
        process.kill(-(child.pid ?? 0), signal)
        await nothingIsLeft(pids)
      })
    }

    it('leaves nothing when the gateway crashes', async () => {
      const { child, url } = await startGateway(pathOf(name), folder)
      assert.equal((await ask(`${url}/process.php`)).status, 200)
      const pids = startedBelow(folder)
      const ended = once(child, 'exit')
      await ask(`${url}/crash`).catch(() => undefined) // it dies of the question
      await ended
      await nothingIsLeft(pids)
    })

    it('lets requests finish when a terminal interrupts the whole group and the gateway drains', async () => {
      const { child, url } = await startGateway(pathOf(name), folder, 'drain')
      assert.equal((await ask(`${url}/process.php`)).status, 200)
      const pids = startedBelow(folder)
      const [gate, marker] = [join(folder, 'gate'), join(folder, 'marker')]
      const held = ask(`${url}/hold.php?gate=${gate}&marker=${marker}`)
      await eventually('the script runs', () => existsSync(marker))
      const ended = once(child, 'exit')
      process.kill(-(child.pid ?? 0), 'SIGINT')
      await eventually('the gateway takes no new connection', () =>
        ask(url).then(
          () => false,
          () => true,
        ),
      )
      writeFileSync(gate, '')
      assert.equal((await held).text, 'held\n')
      assert.deepEqual(await ended, [0, null])
      await nothingIsLeft(pids)
    })

    it('is ended by the next start where the gateway was killed together with the supervisor', async () => {
      const { child, url } = await startGateway(pathOf(name), folder)
      assert.equal((await ask(`${url}/process.php`)).status, 200)
      const orphans = startedBelow(folder)
      const supervisor = parentOf(orphans[0] ?? 0)
      const ended = once(child, 'exit')
      process.kill(supervisor, 'SIGSTOP')
      child.kill('SIGKILL')
      process.kill(supervisor, 'SIGKILL')
      await ended
      assert.ok(orphans.every((pid) => processesOfGroup(pid).length > 0))
      const next = await startGateway(pathOf(name), folder)
      assert.equal((await ask(`${next.url}/process.php`)).status, 200)
      const pids = startedBelow(folder)
      assert.ok(orphans.every((pid) => processesOfGroup(pid).length === 0))
      next.child.kill('SIGKILL')
      await nothingIsLeft(pids)
    })
  })
}
