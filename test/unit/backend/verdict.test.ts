import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Verdict, verdictOf } from '../../../lib/backend/verdict.ts'
import { errorTable, FastCgiError, type FastCgiErrorCode } from '../../../lib/errors.ts'

const CODES = Object.keys(errorTable) as FastCgiErrorCode[]

/** All progress that an attempt may have made. */
const PROGRESS = [false, true].flatMap((answered) =>
  [false, true].flatMap((ended) => [false, true].map((kept) => ({ answered, ended, kept }))),
)

/** What an attempt that has not ended says; all other codes say nothing. */
const TABLE: Partial<Record<FastCgiErrorCode, (progress: { answered: boolean; kept: boolean }) => Verdict>> = {
  ERR_FCGI_CONNECT: () => 'fails',
  ERR_FCGI_CONNECT_TIMEOUT: () => 'fails',
  ERR_FCGI_PROTOCOL: () => 'fails',
  ERR_FCGI_UNKNOWN_ROLE: () => 'fails',
  ERR_FCGI_TRUNCATED: () => 'fails',
  ERR_FCGI_RESET: ({ kept }) => (kept ? 'nothing' : 'fails'),
  ERR_FCGI_SEND_TIMEOUT: ({ answered }) => (answered ? 'nothing' : 'fails'),
  ERR_FCGI_READ_TIMEOUT: ({ answered }) => (answered ? 'nothing' : 'fails'),
  ERR_FCGI_BAD_RESPONSE: () => 'answers',
  ERR_FCGI_OVERLOADED: () => 'answers',
}

describe('verdictOf', () => {
  for (const code of CODES) {
    it(`follows the table for ${code}`, () => {
      for (const progress of PROGRESS) {
        const expected = progress.ended ? 'answers' : (TABLE[code]?.(progress) ?? 'nothing')
        assert.equal(verdictOf({ error: new FastCgiError(code), ...progress }), expected, JSON.stringify(progress))
      }
    })
  }

  it('never blames a backend for what it was not asked', () => {
    const begun = { answered: false, ended: false, kept: false }
    for (const code of CODES) {
      if (errorTable[code].status >= 502 && !/QUEUE|CLOSED|DOWN/.test(code)) continue
      assert.notEqual(verdictOf({ error: new FastCgiError(code), ...begun }), 'fails', code)
    }
  })
})
