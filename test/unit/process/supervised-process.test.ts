import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { killGroup } from '../../../lib/process/process-group.ts'
import { type Ending, SupervisedProcess } from '../../../lib/process/supervised-process.ts'
import { processesOfGroup } from '../../support/backend.ts'
import { eventually } from '../../support/eventually.ts'
import { privateDirectory } from '../../support/private-directory.ts'

const directory = privateDirectory('proc')
after(() => directory.remove())

/** A process that runs a script of sh, and what it tells of itself. */
function supervise(program: string, ...parameters: readonly string[]) {
  const pids: number[] = []
  const endings: Ending[] = []
  const supervised = new SupervisedProcess(
    { program, parameters, environment: process.env, user: null, stdio: 'ignore' },
    { started: (pid) => pids.push(pid), ended: (_pid, ending) => endings.push(ending) },
  )
  supervised.start()
  return { supervised, pids, endings }
}

const sh = (script: string) => supervise('/bin/sh', '-c', script)

/** The text of a file that a script writes, once it is there. */
async function written(name: string): Promise<string> {
  let text = ''
  await eventually(`${name} is written`, () => {
    try {
      text = readFileSync(join(directory.path, name), 'utf8').trim()
    } catch {
      text = '' // not yet
    }
    return text !== ''
  })
  return text
}

describe('SupervisedProcess', () => {
  it('starts a process again that was killed', async () => {
    const { supervised, pids, endings } = sh('sleep 60')
    killGroup(pids[0] ?? 0, 'SIGKILL')
    await eventually('it runs again', () => pids.length === 2)
    assert.deepEqual(endings, [{ how: 'SIGKILL', voluntary: false, early: true, pause: 10 }])
    await supervised.stop('SIGTERM')
    assert.deepEqual([pids.length, endings.length], [2, 2])
  })

  it('starts a process that dies early again after longer and longer pauses', async () => {
    const { supervised, endings } = sh('exit 3')
    await eventually('it has died five times', () => endings.length === 5)
    await supervised.stop('SIGTERM')
    assert.deepEqual(
      endings.map(({ how, early, pause }) => [how, early, pause]),
      [10, 50, 100, 200, 400].map((pause) => ['exit code 3', true, pause]),
    )
  })

  it('tells of a program that cannot be started, and tries again', async () => {
    const { supervised, pids, endings } = supervise(join(directory.path, 'nothing'))
    await eventually('it has failed twice', () => endings.length === 2)
    await supervised.stop('SIGTERM')
    assert.equal(pids.length, 0)
    assert.match(endings[0]?.how ?? '', /ENOENT/)
  })

  it('ends what a process has started when it ends, before it is started again', async () => {
    const { supervised, pids } = sh(`sleep 60 & echo $! > ${join(directory.path, 'child')}; wait`)
    await written('child')
    const [group = 0] = pids
    assert.equal(processesOfGroup(group).length, 2)
    process.kill(group, 'SIGKILL')
    await eventually('the group is gone', () => processesOfGroup(group).length === 0)
    await supervised.stop('SIGTERM')
  })

  it('stops with the signal it is given, and starts nothing again', async () => {
    const said = join(directory.path, 'said')
    const { supervised, pids } = sh(
      `trap 'echo quit > ${said}; exit 0' QUIT; echo ready > ${said}; while :; do sleep 0.01; done`,
    )
    assert.equal(await written('said'), 'ready')
    await supervised.stop('SIGQUIT')
    assert.equal(readFileSync(said, 'utf8'), 'quit\n')
    assert.equal(pids.length, 1)
    assert.deepEqual(processesOfGroup(pids[0] ?? 0), [])
  })

  it('kills at once when asked to, with the whole group', async () => {
    const { supervised, pids } = sh(`trap '' TERM; sleep 60 & wait`)
    supervised.kill()
    await eventually('all are gone', () => processesOfGroup(pids[0] ?? 0).length === 0)
    assert.equal(pids.length, 1)
  })

  it('starts nothing after a stop between two attempts', async () => {
    const { supervised, pids, endings } = sh('exit 1')
    await eventually('it has ended', () => endings.length === 4)
    await supervised.stop('SIGTERM')
    const count = pids.length
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(pids.length, count)
  })
})
