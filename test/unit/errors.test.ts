import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { ConfigError, errorTable, FastCgiError, type FastCgiErrorCode, OptionError } from '../../lib/errors.ts'

const codes = Object.keys(errorTable) as FastCgiErrorCode[]

describe('the table of errors', () => {
  it('gives every code a status of its kind and a message without a path', () => {
    for (const code of codes) {
      const { status, message } = errorTable[code]
      assert.match(code, /^ERR_FCGI_[A-Z_]+$/)
      assert.ok(status >= 400 && status <= 599, code)
      assert.doesNotMatch(message, /[/\\]|\d/, code)
    }
  })

  it('has the statuses that behaviour.md section 6 names', () => {
    const status = (code: FastCgiErrorCode): number => errorTable[code].status
    for (const code of ['CONNECT', 'RESET', 'PROTOCOL', 'BAD_RESPONSE', 'TRUNCATED', 'UNKNOWN_ROLE'] as const) {
      assert.equal(status(`ERR_FCGI_${code}`), 502, code)
    }
    for (const code of ['DOWN', 'OVERLOADED', 'QUEUE_FULL', 'QUEUE_TIMEOUT', 'CLOSED'] as const) {
      assert.equal(status(`ERR_FCGI_${code}`), 503, code)
    }
    for (const code of ['CONNECT_TIMEOUT', 'SEND_TIMEOUT', 'READ_TIMEOUT', 'TIMEOUT'] as const) {
      assert.equal(status(`ERR_FCGI_${code}`), 504, code)
    }
  })
})

describe('FastCgiError', () => {
  const secret = '/run/php/secret.sock'
  const failed = (code: FastCgiErrorCode): FastCgiError =>
    new FastCgiError(code, { detail: `No socket ${secret}`, cause: new Error(`connect ENOENT ${secret}`) })

  it('carries the code, the status and the message of the table, and never exposes itself', () => {
    for (const code of codes) {
      const error = new FastCgiError(code)
      assert.ok(error instanceof Error)
      assert.equal(error.name, 'FastCgiError')
      assert.equal(error.code, code)
      assert.equal(error.status, errorTable[code].status)
      assert.equal(error.message, errorTable[code].message)
      assert.equal(error.detail, errorTable[code].message)
      assert.equal(error.expose, false)
    }
  })

  it('keeps the detail and the cause for the log', () => {
    const error = failed('ERR_FCGI_CONNECT')
    assert.equal(error.detail, `No socket ${secret}`)
    assert.match(String(error.cause), /ENOENT/)
    assert.match(inspect(error), /secret\.sock/)
  })

  it('shows no path and no frame in its message, its stack and its JSON', () => {
    const error = failed('ERR_FCGI_CONNECT')
    const shown = [error.message, error.stack ?? '', JSON.stringify(error), String(error), Object.keys(error).join()]
    for (const text of shown) assert.doesNotMatch(text, /secret|errors\.|\bat |detail|cause/)
    assert.equal(error.stack, 'FastCgiError [ERR_FCGI_CONNECT]: The FastCGI backend cannot be reached')
  })

  it('asks a client to come back with every 503 and with nothing else', () => {
    for (const code of codes) {
      const { status, headers } = new FastCgiError(code)
      assert.deepEqual(headers, status === 503 ? { 'Retry-After': '1' } : {}, code)
    }
    assert.deepEqual(new FastCgiError('ERR_FCGI_INTERCEPTED', { status: 503 }).headers, { 'Retry-After': '1' })
  })

  it("takes another status only for a script's own", () => {
    assert.equal(new FastCgiError('ERR_FCGI_INTERCEPTED', { status: 404 }).status, 404)
  })
})

describe('OptionError and ConfigError', () => {
  it('say what is wrong to the one who starts the site', () => {
    assert.equal(new OptionError('no').code, 'ERR_FCGI_OPTION')
    assert.equal(new OptionError('no').name, 'OptionError')
    const error = new ConfigError(['a.conf:1: x', 'a.conf:2: y'])
    assert.equal(error.code, 'ERR_FCGI_CONFIG')
    assert.equal(error.name, 'ConfigError')
    assert.equal(error.message, 'a.conf:1: x\na.conf:2: y')
    assert.deepEqual(error.problems, ['a.conf:1: x', 'a.conf:2: y'])
    assert.deepEqual([error.files, error.directories], [[], []])
  })
})
