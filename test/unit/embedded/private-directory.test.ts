import assert from 'node:assert/strict'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { privateDirectory } from '../../../lib/embedded/private-directory.ts'
import * as support from '../../support/private-directory.ts'

/** Beyond every pid_max. */
const NO_PROCESS = 2 ** 22 + 1

describe('privateDirectory', () => {
  let place: support.PrivateDirectory
  const { TMPDIR } = process.env

  before(() => {
    place = support.privateDirectory('test')
    process.env.TMPDIR = place.path
  })
  after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    place.remove()
  })

  it('makes one for us alone, and removes it', () => {
    const directory = privateDirectory(null)
    assert.equal(statSync(directory.path).mode & 0o777, 0o700)
    writeFileSync(join(directory.path, 'sess_1'), '')
    directory.remove()
    assert.equal(existsSync(directory.path), false)
  })

  it('removes those of programs that are gone, and no others', () => {
    const names = [`express-fastcgi-php-${NO_PROCESS}-Ab12`, `express-fastcgi-php-${process.pid}-Ab12`, 'other']
    for (const name of names) mkdirSync(join(place.path, name, 'inside'), { recursive: true })
    privateDirectory(null).remove()
    assert.deepEqual(
      names.map((name) => existsSync(join(place.path, name))),
      [false, true, true],
    )
  })

  it('leaves one that was given where it is', () => {
    const given = join(place.path, 'given/below')
    const directory = privateDirectory(given)
    directory.remove()
    assert.equal(directory.path, given)
    assert.equal(existsSync(given), true)
  })
})
