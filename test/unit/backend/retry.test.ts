import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type AttemptProgress, maySendAgain } from '../../../lib/backend/retry.ts'
import { errorTable, FastCgiError, type FastCgiErrorCode } from '../../../lib/errors.ts'

const CODES = Object.keys(errorTable) as FastCgiErrorCode[]
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']
const UNSAFE = ['POST', 'PATCH', 'PROPFIND', 'MKCOL', 'LOCK', 'CONNECT', 'get', '']
const BOOLEANS = [true, false]

type Progress = Omit<AttemptProgress, 'error'>

/** Every progress with its code, method and whether the body is at hand. */
function* cases(): Generator<{ code: FastCgiErrorCode; method: string; repeatable: boolean; progress: Progress }> {
  for (const code of CODES)
    for (const method of [...SAFE, ...UNSAFE])
      for (const repeatable of BOOLEANS)
        for (const begun of BOOLEANS)
          for (const answered of BOOLEANS)
            for (const kept of BOOLEANS)
              for (const restarted of BOOLEANS)
                yield { code, method, repeatable, progress: { begun, answered, kept, restarted } }
}

/** Behaviour.md section 4, in words of its own. */
function expected({
  code,
  method,
  repeatable,
  progress,
}: ReturnType<typeof cases> extends Generator<infer C> ? C : never) {
  if (code === 'ERR_FCGI_CONNECT' || code === 'ERR_FCGI_CONNECT_TIMEOUT') return true
  if (code === 'ERR_FCGI_OVERLOADED') return repeatable
  if (code !== 'ERR_FCGI_RESET') return false
  if (!progress.begun) return true
  return SAFE.includes(method) && repeatable && (progress.kept || progress.restarted) && !progress.answered
}

describe('maySendAgain', () => {
  it('follows the table for every code, method and progress', () => {
    let count = 0
    for (const one of cases()) {
      const progress = { ...one.progress, error: new FastCgiError(one.code) }
      assert.equal(maySendAgain(progress, one), expected(one), JSON.stringify(one))
      count += 1
    }
    assert.equal(count, CODES.length * (SAFE.length + UNSAFE.length) * 32)
  })

  it('never sends a POST again of which anything went to a backend that did not refuse it', () => {
    for (const { code, progress } of cases()) {
      if (!progress.begun || code === 'ERR_FCGI_OVERLOADED' || code.startsWith('ERR_FCGI_CONNECT')) continue
      const again = maySendAgain({ ...progress, error: new FastCgiError(code) }, { method: 'POST', repeatable: true })
      assert.equal(again, false, code)
    }
  })
})
