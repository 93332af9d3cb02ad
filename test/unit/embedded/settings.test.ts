import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSettings, UsageError } from '../../../lib/embedded/settings.ts'

describe('parseSettings', () => {
  it('has two workers on file descriptor 0 by default', () => {
    assert.deepEqual(parseSettings([], {}), {
      listen: null,
      workers: 2,
      maxRequests: 500,
      directory: null,
      ini: new Map(),
    })
  })

  it("takes php-cgi's variables, and the command line over them", () => {
    const environment = { PHP_FCGI_CHILDREN: '5', PHP_FCGI_MAX_REQUESTS: '7' }
    const { workers, maxRequests } = parseSettings(['--workers', '3'], environment) ?? {}
    assert.deepEqual({ workers, maxRequests }, { workers: 3, maxRequests: 7 })
  })

  it('takes php.ini settings, whose values may hold equals signs', () => {
    const settings = parseSettings(['--ini', 'a.b=1=2', '--ini', 'empty='], {})
    assert.deepEqual(
      settings?.ini,
      new Map([
        ['a.b', '1=2'],
        ['empty', ''],
      ]),
    )
  })

  it('says null when help is wanted', () => {
    assert.equal(parseSettings(['--help'], {}), null)
  })

  for (const args of [
    ['--workers', '0'],
    ['--workers', '1.5'],
    ['--nonsense'],
    ['file'],
    ['--ini', 'a'],
    ['--ini', 'a=1\nb=2'],
  ]) {
    it(`refuses ${JSON.stringify(args)}`, () => {
      assert.throws(() => parseSettings(args, {}), UsageError)
    })
  }
})
