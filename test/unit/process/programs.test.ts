import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { after, describe, it } from 'node:test'
import { EMBEDDED_MAIN, findPhp, findProgram, phpProgram } from '../../../lib/process/programs.ts'
import { phpCommand } from '../../../lib/process/recipe.ts'
import { privateDirectory } from '../../support/private-directory.ts'

const directory = privateDirectory('path')
after(() => directory.remove())
let folders = 0

/** A folder with programs of these names, and its path. */
function folder(...names: readonly string[]): string {
  folders += 1
  const path = join(directory.path, String(folders))
  mkdirSync(path)
  for (const name of names) writeFileSync(join(path, name), '#!/bin/sh\n', { mode: 0o755 })
  return path
}

/** PATH is all that is searched where the folders of daemons have nothing better. */
function found(...path: readonly string[]): string | null {
  const php = findPhp(path.join(delimiter))
  return php === null || php.kind === 'embedded'
    ? (php?.kind ?? null)
    : `${php.kind} ${relative(directory.path, php.path)}`
}

describe('findPhp', () => {
  it('takes php-fpm before php-cgi, also from a later folder', () => {
    assert.equal(found(folder('php-cgi'), folder('php-fpm')), `php-fpm ${folders}/php-fpm`)
    assert.equal(found(folder('php-cgi', 'php-fpm8.3')), `php-fpm ${folders}/php-fpm8.3`)
  })

  it('takes the plain name before a version, and the highest version', () => {
    assert.equal(found(folder('php-fpm8.4', 'php-fpm', 'php-fpm8.2')), `php-fpm ${folders}/php-fpm`)
    assert.equal(found(folder('php-fpm8.9', 'php-fpm8.10', 'php-fpm7.4')), `php-fpm ${folders}/php-fpm8.10`)
    assert.equal(found(folder('php-fpm82', 'php-fpm84', 'php-fpm83')), `php-fpm ${folders}/php-fpm84`)
  })

  it('takes the first folder that has one', () => {
    const first = folder('php-fpm7.4')
    assert.equal(
      found(join(directory.path, 'nowhere'), first, folder('php-fpm')),
      `php-fpm ${relative(directory.path, first)}/php-fpm7.4`,
    )
  })

  it('passes over what only looks like one, folders, broken links, and files that may not be run', () => {
    const path = folder('php-fpm-debug', 'my-php-fpm', 'php-fpm8.2.bak', 'php-fpm8.4')
    mkdirSync(join(path, 'php-fpm'))
    symlinkSync('nowhere', join(path, 'php-fpm8.9'))
    writeFileSync(join(path, 'php-fpm8.8'), '')
    chmodSync(join(path, 'php-fpm8.8'), 0o644)
    assert.equal(found(path), `php-fpm ${folders}/php-fpm8.4`)
  })

  it('takes the embedded PHP where nothing may be searched, or nothing', () => {
    assert.ok(['embedded', null].includes(found('')))
  })
})

describe('phpProgram', () => {
  for (const [path, kind] of [
    ['/usr/sbin/php-fpm8.2', 'php-fpm'],
    ['php-cgi', 'php-cgi'],
    ['/x/php-cgi.exe', 'php-cgi'],
    ['/usr/bin/php', undefined],
    ['/php-fpm/app', undefined],
  ] as const) {
    it(`takes ${path} for ${kind ?? 'no FastCGI program of PHP'}`, () => assert.equal(phpProgram(path)?.kind, kind))
  }
})

describe('phpCommand', () => {
  it('is the program alone, or Node with the embedded PHP', () => {
    assert.deepEqual(phpCommand({ kind: 'php-cgi', path: '/a b/php-cgi' }), ['/a b/php-cgi'])
    const [node, ...parameters] = phpCommand({ kind: 'embedded' })
    assert.equal(node, process.execPath)
    assert.equal(parameters.at(-1), EMBEDDED_MAIN)
  })
})

describe('findProgram', () => {
  it('looks a name up in PATH and takes a path as it is, both absolute', () => {
    const path = folder('app')
    assert.equal(findProgram('app', path), join(path, 'app'))
    assert.equal(findProgram(relative(process.cwd(), join(path, 'app')), ''), join(path, 'app'))
  })

  it('gives null for what is not there, may not be run, or is a folder', () => {
    const path = folder()
    writeFileSync(join(path, 'text'), '')
    for (const name of ['text', 'nothing', `${path}/text`, path, '']) assert.equal(findProgram(name, path), null, name)
  })
})
