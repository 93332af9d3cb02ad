import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseServeCommand } from '../../../lib/cli/serve-command.ts'
import { UsageError } from '../../../lib/cli/usage.ts'

describe('parseServeCommand', () => {
  it('watches the configuration file when told to', () => {
    const { config, watch } = parseServeCommand(['--config', 'fastcgi.conf', '--watch'])
    assert.deepEqual([config, watch], ['fastcgi.conf', true])
    assert.equal(parseServeCommand(['--config', 'fastcgi.conf']).watch, false)
  })

  for (const args of [
    ['--watch'],
    ['--watch', '--server', '127.0.0.1:9000'],
    ['public', '--watch', '--php', 'embedded'],
  ]) {
    it(`refuses [${args.join(' ')}]: there is nothing to watch`, () => {
      assert.throws(
        () => parseServeCommand(args),
        (error) => error instanceof UsageError && /give --config FILE/.test(error.message),
      )
    })
  }
})
