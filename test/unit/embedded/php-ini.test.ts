import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { phpIni } from '../../../lib/embedded/php-ini.ts'

describe('phpIni', () => {
  it('keeps sessions and uploads in the directory, and errors from the client', () => {
    const text = phpIni('/private', new Map())
    assert.match(text, /^session\.save_path = "\/private"$/m)
    assert.match(text, /^upload_tmp_dir = "\/private"$/m)
    assert.match(text, /^display_errors = 0$/m)
  })

  it('takes what the operator says, once', () => {
    const text = phpIni(
      '/private',
      new Map([
        ['display_errors', '1'],
        ['user_agent', 'a "b"'],
      ]),
    )
    assert.equal(text.match(/^display_errors/gm)?.length, 1)
    assert.match(text, /^display_errors = 1$/m)
    assert.match(phpIni('/private', new Map([['error_reporting', 'E_ALL']])), /^error_reporting = E_ALL$/m)
    assert.match(text, /^user_agent = "a \\"b\\""$/m)
  })
})
