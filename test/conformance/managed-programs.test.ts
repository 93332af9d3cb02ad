import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { eventually } from '../support/eventually.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { startedProcesses } from '../support/managed.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { backend, pathOf } from '../support/require-backend.ts'

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/fcgi/${name}`, import.meta.url))

/** Serves /app with one program, started here. */
function serveProgram(command: readonly string[], processes: number): Promise<Gateway> {
  return serve({
    servers: [{ name: 'app', command, processes }],
    locations: [{ match: ['/app{/*path}'], scriptFilename: '/app' }],
  })
}

/** Asks until so many processes have answered. */
async function answering(gateway: Gateway, processes: number): Promise<ReadonlySet<string>> {
  const pids = new Set<string>()
  await eventually(`${processes} processes answer`, async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(`${gateway.url}/app/x`)))
    for (const { status, text } of answers) {
      assert.equal(status, 200, gateway.log.join('\n'))
      assert.match(text, /^\d+ \/x\n$/)
      pids.add(text.split(' ', 1)[0] ?? '')
    }
    return pids.size >= processes
  })
  return pids
}

backend('perl', 'FCGI.pm').describe('a Perl program of ours on file descriptor 0', () => {
  it('runs as three processes, and one that is killed is replaced', async () => {
    const gateway = await serveProgram([pathOf('perl'), fixture('inherited.pl')], 3)
    const first = await answering(gateway, 3)
    assert.deepEqual([...first].map(Number).sort(), [...startedProcesses(gateway.log)].sort())
    const [killed = ''] = first
    process.kill(Number(killed), 'SIGKILL')
    await eventually('another one answers', async () => {
      const now = await answering(gateway, 1)
      return [...now].some((pid) => !first.has(pid))
    })
    await ask(`${gateway.url}/app/x?words`)
    await eventually('its words are in the log', () => gateway.log.some((line) => line.includes('perl says words')))
    await gateway.close()
  })
})

backend('cc', 'libfcgi').describe('a C program of ours on file descriptor 0', () => {
  it('runs as two processes', async () => {
    const directory = privateDirectory('c')
    const program = join(directory.path, 'a program')
    await promisify(execFile)(pathOf('cc'), [
      '-O1',
      '-Wall',
      '-Werror',
      '-o',
      program,
      fixture('inherited.c'),
      '-lfcgi',
    ])
    const gateway = await serveProgram([program], 2)
    assert.equal((await answering(gateway, 2)).size, 2)
    await gateway.close()
    directory.remove()
  })
})
