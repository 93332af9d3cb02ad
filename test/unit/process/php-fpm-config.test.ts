import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { phpFpmConfig } from '../../../lib/process/php-fpm-config.ts'
import { privateDirectory } from '../../support/private-directory.ts'
import { backend, pathOf } from '../../support/require-backend.ts'

/** The value of a directive; undefined: it is not there. */
function directive(name: string, config: string): string | undefined {
  return config
    .split('\n')
    .map((line) => line.split(' = '))
    .find(([key]) => key === name)?.[1]
}

describe('phpFpmConfig', () => {
  it('asks for as many children as it is told to', () => {
    const config = phpFpmConfig({ sessions: '/s', processes: 7, user: null })
    assert.deepEqual([directive('pm', config), directive('pm.max_children', config)], ['static', '7'])
  })

  it('names a user only where there is one', () => {
    assert.equal(directive('user', phpFpmConfig({ sessions: '/s', processes: 1, user: null })), undefined)
    const config = phpFpmConfig({ sessions: '/s', processes: 1, user: { uid: 33, gid: 44 } })
    assert.deepEqual([directive('user', config), directive('group', config)], ['33', '44'])
  })
})

backend('php-fpm').describe('php-fpm', () => {
  it('takes the configuration, for one child and for many, also with blanks in the path', () => {
    const directory = privateDirectory('conf')
    const sessions = join(directory.path, 'with blanks; (and more)')
    mkdirSync(sessions)
    const file = join(directory.path, 'php-fpm.conf')
    for (const processes of [1, 2, 3, 50]) {
      const user = process.getuid?.() === 0 ? { uid: 33, gid: 33 } : null
      // What it has understood is told as notices.
      writeFileSync(
        file,
        phpFpmConfig({ sessions, processes, user }).replace('log_level = warning', 'log_level = notice'),
      )
      const { status, stderr } = spawnSync(pathOf('php-fpm'), ['-tt', '-y', file], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
      assert.ok(stderr.includes(`session.save_path] = ${sessions}`), stderr)
    }
    directory.remove()
  })
})
