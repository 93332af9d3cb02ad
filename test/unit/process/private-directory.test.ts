import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { killOrphans, writeLedger } from '../../../lib/process/ledger.ts'
import {
  createDirectory,
  privatePath,
  reapDirectories,
  removeDirectory,
} from '../../../lib/process/private-directory.ts'
import { processesOfGroup } from '../../support/backend.ts'
import { eventually } from '../../support/eventually.ts'

/** A number that was a process's until now. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-v']).pid
}

describe('private directories', () => {
  const parent = mkdtempSync(join(tmpdir(), 'fcgi-reap-'))
  const { TMPDIR } = process.env
  before(() => {
    process.env.TMPDIR = parent
  })
  after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    rmSync(parent, { recursive: true })
  })

  const made = (name: string): string => {
    mkdirSync(join(parent, name))
    writeFileSync(join(parent, name, 'backend.sock'), '')
    return join(parent, name)
  }

  it('have a short path of their own, which nothing makes before it is asked to', () => {
    const path = privatePath()
    assert.notEqual(path, privatePath())
    assert.equal(existsSync(path), false)
    assert.ok(path.startsWith(`${parent}/express-fastcgi-run-${process.pid}-`))
    createDirectory(path)
    assert.equal(statSync(path).mode & 0o777, 0o700)
    assert.throws(() => createDirectory(path), /EEXIST/)
    removeDirectory(path)
    removeDirectory(path)
    assert.equal(existsSync(path), false)
  })

  it('are removed when the process that made them is gone, and no other', async () => {
    const dead = deadPid()
    const kept = [
      made(`express-fastcgi-run-${process.pid}-a`),
      made(`express-fastcgi-run-1-a`),
      made(`express-fastcgi-run-x${dead}-a`),
      made(`another-run-${dead}-a`),
    ]
    const abandoned = made(`express-fastcgi-run-${dead}-a`)
    symlinkSync(kept[3] ?? '', join(parent, `express-fastcgi-run-${dead}-link`))
    const file = join(parent, `express-fastcgi-run-${dead}-file`)
    writeFileSync(file, '')
    await reapDirectories()
    assert.equal(existsSync(abandoned), false)
    for (const path of [...kept.map((one) => join(one, 'backend.sock')), file]) assert.ok(existsSync(path), path)
  })

  it('take the processes of their ledger with them', async () => {
    const child = spawn('/bin/sleep', ['61'], { detached: true, stdio: 'ignore' })
    const path = made(`express-fastcgi-run-${deadPid()}-b`)
    writeLedger(path, [{ pid: child.pid ?? 0, command: '/bin/sleep 61' }])
    await reapDirectories()
    await eventually('the process is gone', () => processesOfGroup(child.pid ?? 0).length === 0)
    assert.equal(existsSync(path), false)
  })

  it('leave a process alone whose number is that of a ledger, and whose command is not', async () => {
    const child = spawn('/bin/sleep', ['62'], { detached: true, stdio: 'ignore' })
    const path = made('ledger')
    writeLedger(path, [{ pid: child.pid ?? 0, command: '/bin/sleep 6' }])
    await killOrphans(path)
    assert.equal(processesOfGroup(child.pid ?? 0).length, 1)
    writeFileSync(join(path, 'processes.json'), `[{"pid":1,"command":"x"},{"pid":"${child.pid}"},null,7]`)
    await killOrphans(path)
    writeFileSync(join(path, 'processes.json'), 'nonsense')
    await killOrphans(path)
    assert.equal(processesOfGroup(child.pid ?? 0).length, 1)
    writeLedger(path, [
      { pid: child.pid ?? 0, command: 'sleep 62' },
      { pid: child.pid ?? 0, command: '/bin/sleep 62' },
    ])
    await killOrphans(path)
    await eventually('the process is gone', () => processesOfGroup(child.pid ?? 0).length === 0)
  })
})
