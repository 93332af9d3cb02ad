import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { processesOfGroup } from '../support/backend.ts'
import { eventually } from '../support/eventually.ts'
import { startPhpFpm } from '../support/php-fpm.ts'
import { rawFastCgi } from '../support/raw-fastcgi.ts'
import { backend } from '../support/require-backend.ts'

interface Started {
  readonly pid: number
  readonly directory: string
}

backend('php-fpm').describe('the backends of the tests', () => {
  for (const ending of ['stops', 'exits', 'throws', 'is killed'] as const) {
    it(`leave nothing behind when the test process ${ending}`, async () => {
      const script = fileURLToPath(new URL('../fixtures/backends/forgetful.ts', import.meta.url))
      const child = fork(script, [ending], {
        execArgv: ['--import', 'tsx'],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      })
      const ended = once(child, 'exit')
      const [started] = (await once(child, 'message')) as [Started]
      child.send('go on')
      if (ending === 'is killed') child.kill('SIGKILL')
      await ended
      await eventually('the directory is gone', () => !existsSync(started.directory))
      await eventually('the processes are gone', () => processesOfGroup(started.pid).length === 0)
    })
  }

  it('answer plain FastCGI before the gateway has a word', async () => {
    const fpm = await startPhpFpm({ children: 1 })
    try {
      const answer = await rawFastCgi({
        address: fpm.address,
        params: { SCRIPT_FILENAME: '/nowhere/missing.php', REQUEST_METHOD: 'GET' },
      })
      assert.equal(answer.stderr.toString(), 'Primary script unknown')
      assert.match(answer.stdout.toString(), /^Status: 404 Not Found\r\n/)
      assert.equal(answer.protocolStatus, 0)
    } finally {
      await fpm.stop()
    }
    assert.ok(!existsSync(fpm.directory))
  })
})
