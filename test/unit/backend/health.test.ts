import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Health, type HealthOptions } from '../../../lib/backend/health.ts'
import type { FailedAttempt } from '../../../lib/backend/verdict.ts'
import { FastCgiError, type FastCgiErrorCode } from '../../../lib/errors.ts'

const OPTIONS: HealthOptions = { maxFails: 3, failTimeout: 10_000, checked: false }

function attempt(code: FastCgiErrorCode, progress: Partial<FailedAttempt> = {}): FailedAttempt {
  return { error: new FastCgiError(code), answered: false, ended: false, kept: false, ...progress }
}

const REFUSED = attempt('ERR_FCGI_CONNECT')
const LOST = attempt('ERR_FCGI_RESET')
const SILENT = attempt('ERR_FCGI_READ_TIMEOUT')
const LEFT = attempt('ERR_FCGI_CLIENT_GONE')

/** A backend on a clock of its own. */
class Patient {
  readonly health: Health
  /** `down CODE 10000`, `up 12000`. */
  readonly events: string[] = []
  time = 1_000_000

  constructor(options: Partial<HealthOptions> = {}) {
    this.health = new Health(
      { ...OPTIONS, ...options },
      {
        now: () => this.time,
        onDown: (error, retryIn) => this.events.push(`down ${error.code} ${retryIn}`),
        onUp: (downFor) => this.events.push(`up ${downFor}`),
      },
    )
  }

  pass(milliseconds: number): this {
    this.time += milliseconds
    return this
  }

  /** Attempts that are begun and fail, one after the other. */
  fails(times: number, failed: FailedAttempt = REFUSED): this {
    for (let n = 0; n < times; n++) this.health.noteFailure(failed, this.health.generation)
    return this
  }

  answers(): this {
    this.health.noteAnswer(this.health.generation)
    return this
  }

  /** A probe's generation. */
  probe(lastResort = false): number {
    assert.ok(this.health.claimProbe(lastResort))
    return this.health.generation
  }

  check(error: FastCgiError | null, times = 1): this {
    for (let n = 0; n < times; n++) this.health.noteCheck(error, this.health.generation)
    return this
  }

  get state(): string {
    return this.health.state
  }
}

const BAD_CHECK = new FastCgiError('ERR_FCGI_TIMEOUT')

describe('Health', () => {
  describe('of a backend that is up', () => {
    it('goes down with the maxFails-th failure in a row, and tells so once', () => {
      const patient = new Patient().fails(2)
      assert.equal(patient.state, 'up')
      assert.deepEqual(patient.events, [])
      patient.fails(1, SILENT).fails(5)
      assert.equal(patient.state, 'down')
      assert.equal(patient.health.up, false)
      assert.deepEqual(patient.events, ['down ERR_FCGI_READ_TIMEOUT 10000'])
      assert.equal(patient.health.reason, SILENT.error)
    })

    it('stays up when an answer comes in between', () => {
      assert.equal(new Patient().fails(2).answers().fails(2).answers().fails(2).state, 'up')
    })

    it('takes a malformed response and an overload for an answer: the backend is there', () => {
      for (const code of ['ERR_FCGI_BAD_RESPONSE', 'ERR_FCGI_OVERLOADED'] as const) {
        assert.equal(new Patient().fails(2).fails(1, attempt(code)).fails(2).state, 'up', code)
      }
    })

    it('is not moved by what says nothing of it', () => {
      assert.equal(new Patient().fails(2).fails(9, LEFT).state, 'up')
      assert.equal(new Patient().fails(2).fails(1, LEFT).fails(1).state, 'down')
    })

    it('counts only what happened within failTimeout, by a window that slides', () => {
      assert.equal(new Patient().fails(1).pass(5000).fails(1).pass(5000).fails(1).state, 'up')
      assert.equal(new Patient().fails(1).pass(5000).fails(1).pass(4999).fails(1).state, 'down')
      // Three within ten seconds, though not within ten seconds of the first.
      assert.equal(new Patient().fails(1).pass(9000).fails(1).pass(2000).fails(2).state, 'down')
    })

    it('counts failures that took longer than failTimeout, one after the other: a silent backend with few requests', () => {
      const slow = { ...SILENT, took: 60_000 }
      const patient = new Patient().pass(60_000).fails(1, slow).pass(63_000).fails(1, slow).pass(63_000)
      assert.equal(patient.state, 'up')
      assert.equal(patient.fails(1, slow).state, 'down')
      const seldom = new Patient().fails(1, slow).pass(3_600_000).fails(1, slow).pass(3_600_000).fails(1, slow)
      assert.equal(seldom.state, 'up')
    })

    it('goes down at once with maxFails of 1, and never with 0', () => {
      assert.equal(new Patient({ maxFails: 1 }).fails(1).state, 'down')
      assert.equal(new Patient({ maxFails: 0 }).fails(1000).check(BAD_CHECK, 1000).state, 'up')
    })

    it('counts connections that were lost together once: a reload takes all of them along', () => {
      const patient = new Patient()
      const { generation } = patient.health
      for (let n = 0; n < 50; n++) patient.health.noteFailure(LOST, generation)
      for (let n = 0; n < 50; n++) patient.health.noteFailure(attempt('ERR_FCGI_TRUNCATED'), generation)
      assert.equal(patient.state, 'up')
      assert.equal(patient.fails(2, LOST).state, 'down')
    })

    it('counts requests that time out together one by one: each is a request that was hurt', () => {
      const patient = new Patient()
      const { generation } = patient.health
      for (let n = 0; n < 3; n++) patient.health.noteFailure(SILENT, generation)
      assert.equal(patient.state, 'down')
    })

    it('does not take an answer that was begun before the loss of a connection for one after it', () => {
      const patient = new Patient()
      const { generation } = patient.health
      patient.fails(1, LOST)
      patient.health.noteAnswer(generation)
      assert.equal(patient.fails(2, LOST).state, 'down')
    })

    it('lets no request be a probe', () => {
      const patient = new Patient().fails(2)
      assert.equal(patient.health.claimProbe(false), false)
      assert.equal(patient.health.claimProbe(true), false)
      assert.equal(patient.state, 'up')
    })

    it('has nothing to say of being down', () => {
      const { health } = new Patient().fails(2)
      assert.deepEqual([health.reason, health.downFor, health.retryIn], [null, 0, 0])
    })
  })

  describe('of a backend that is down', () => {
    it('lets no request try before failTimeout is over, then one', () => {
      const patient = new Patient().fails(3).pass(9999)
      assert.equal(patient.health.claimProbe(false), false)
      assert.equal(patient.health.retryIn, 1)
      patient.pass(1)
      assert.equal(patient.health.retryIn, 0)
      assert.equal(patient.health.claimProbe(false), true)
      assert.equal(patient.state, 'probing')
      assert.equal(patient.health.up, false)
      assert.equal(patient.health.claimProbe(false), false)
    })

    it('is not moved by requests that were begun before', () => {
      const patient = new Patient()
      const { generation } = patient.health
      patient.fails(3).pass(4000)
      patient.health.noteAnswer(generation)
      patient.health.noteCheck(null, generation)
      patient.health.noteFailure(SILENT, generation)
      assert.equal(patient.state, 'down')
      assert.equal(patient.health.retryIn, 6000)
    })

    it('tells for how long it has been down, whatever its probes did meanwhile', () => {
      const patient = new Patient().fails(3).pass(10_000)
      patient.health.noteFailure(REFUSED, patient.probe())
      patient.pass(2000)
      assert.equal(patient.health.downFor, 12_000)
    })

    it('is up again where maxFails becomes 0', () => {
      const patient = new Patient().fails(3).pass(100)
      patient.health.reconfigure({ ...OPTIONS, maxFails: 0 })
      assert.equal(patient.state, 'up')
      assert.deepEqual(patient.events.at(-1), 'up 100')
    })

    it('waits no longer than a shorter failTimeout says', () => {
      const patient = new Patient().fails(3).pass(1000)
      patient.health.reconfigure({ ...OPTIONS, failTimeout: 500 })
      assert.equal(patient.health.retryIn, 500)
      patient.health.reconfigure({ ...OPTIONS, failTimeout: 60_000 })
      assert.equal(patient.health.retryIn, 500)
    })
  })

  describe('while a probe is under way', () => {
    function probing(options: Partial<HealthOptions> = {}): { patient: Patient; generation: number } {
      const patient = new Patient(options).fails(3).pass(10_000)
      return { patient, generation: patient.probe() }
    }

    it('is up with the answer, and counts anew', () => {
      const { patient, generation } = probing()
      patient.pass(30).health.noteAnswer(generation)
      assert.equal(patient.state, 'up')
      assert.deepEqual(patient.events, ['down ERR_FCGI_CONNECT 10000', 'up 10030'])
      assert.equal(patient.health.reason, null)
      assert.equal(patient.fails(2).state, 'up')
      assert.equal(patient.fails(1).state, 'down')
    })

    it('is down with a single failure, for failTimeout, without telling it again', () => {
      const { patient, generation } = probing()
      patient.pass(30).health.noteFailure(SILENT, generation)
      assert.equal(patient.state, 'down')
      assert.equal(patient.health.retryIn, 10_000)
      assert.equal(patient.health.reason, SILENT.error)
      assert.equal(patient.events.length, 1)
    })

    it('is up with an answer that the script spoilt', () => {
      const { patient, generation } = probing()
      patient.health.noteFailure(attempt('ERR_FCGI_BAD_RESPONSE'), generation)
      assert.equal(patient.state, 'up')
    })

    it('lets the next request probe at once when the client leaves', () => {
      const { patient, generation } = probing()
      patient.health.noteFailure(LEFT, generation)
      assert.equal(patient.state, 'down')
      assert.equal(patient.health.retryIn, 0)
      patient.probe()
    })

    it('is not moved by requests that were begun before the backend went down', () => {
      const patient = new Patient()
      const { generation } = patient.health
      patient.fails(3).pass(10_000).probe()
      patient.health.noteFailure(SILENT, generation)
      patient.health.abandonProbe(generation)
      patient.health.noteAnswer(generation)
      assert.equal(patient.state, 'probing')
    })

    it('lets the next request probe when there is no verdict for failTimeout', () => {
      const { patient } = probing()
      assert.equal(patient.pass(9999).health.claimProbe(false), false)
      assert.equal(patient.pass(1).health.claimProbe(false), true)
      assert.equal(patient.health.claimProbe(false), false)
    })

    it('heeds of two probes the failure of the later one and the answer of either', () => {
      const { patient, generation: earlier } = probing()
      patient.pass(10_000).probe()
      patient.health.noteFailure(SILENT, earlier)
      patient.health.abandonProbe(earlier)
      assert.equal(patient.state, 'probing')
      patient.health.noteAnswer(earlier)
      assert.equal(patient.state, 'up')
    })

    it('does not go down again for what hung since before it came up', () => {
      const { patient, generation: earlier } = probing({ maxFails: 1 })
      patient.pass(10_000).health.noteAnswer(patient.probe())
      patient.health.noteFailure(SILENT, earlier)
      assert.equal(patient.state, 'up')
    })
  })

  describe('as the last resort', () => {
    it('lets one request try before its time, and no second one beside it', () => {
      const patient = new Patient().fails(3).pass(1)
      assert.equal(patient.health.claimProbe(true), true)
      assert.equal(patient.health.claimProbe(true), false)
      assert.equal(patient.state, 'probing')
    })

    it('lets the next one try as soon as that has failed', () => {
      const patient = new Patient().fails(3)
      patient.health.noteFailure(REFUSED, patient.probe(true))
      assert.equal(patient.state, 'down')
      assert.equal(patient.health.claimProbe(true), true)
    })

    it('lets the next one try beside one that says nothing for failTimeout', () => {
      const patient = new Patient().fails(3)
      patient.probe(true)
      assert.equal(patient.pass(9999).health.claimProbe(true), false)
      assert.equal(patient.pass(1).health.claimProbe(true), true)
    })

    it('is up with the answer', () => {
      const patient = new Patient().fails(3)
      patient.health.noteAnswer(patient.probe(true))
      assert.equal(patient.state, 'up')
    })
  })

  describe('with an active check', () => {
    const checked = (): Patient => new Patient({ checked: true })

    it('goes down with maxFails checks in a row, however far apart', () => {
      const patient = checked().check(BAD_CHECK).pass(60_000).check(BAD_CHECK).pass(60_000)
      assert.equal(patient.state, 'up')
      assert.equal(patient.check(BAD_CHECK).state, 'down')
      assert.deepEqual(patient.events, ['down ERR_FCGI_TIMEOUT 10000'])
    })

    it('begins to count anew with a check that is answered', () => {
      assert.equal(checked().check(BAD_CHECK, 2).check(null).check(BAD_CHECK, 2).state, 'up')
    })

    it('goes down although users are answered: a health script may know better', () => {
      assert.equal(checked().check(BAD_CHECK, 2).answers().check(BAD_CHECK).state, 'down')
    })

    it('goes down although checks are answered: users may fare worse', () => {
      assert.equal(checked().fails(2).check(null).fails(1).state, 'down')
    })

    it('adds checks and requests up to nothing', () => {
      assert.equal(checked().fails(2).check(BAD_CHECK, 2).state, 'up')
    })

    it('is up with a check that is answered, at once', () => {
      const patient = checked().fails(3).pass(200).check(null)
      assert.equal(patient.state, 'up')
      assert.deepEqual(patient.events.at(-1), 'up 200')
      assert.equal(patient.check(BAD_CHECK, 2).fails(2).state, 'up')
    })

    it('risks no request of a user, whatever time has passed', () => {
      assert.equal(checked().fails(3).pass(1_000_000).health.claimProbe(false), false)
    })

    it('lets one request at a time try as the last resort: the check may be what is wrong', () => {
      const patient = checked().check(BAD_CHECK, 3)
      const generation = patient.probe(true)
      assert.equal(patient.health.claimProbe(true), false)
      patient.check(BAD_CHECK, 3)
      assert.equal(patient.state, 'probing')
      patient.health.noteAnswer(generation)
      assert.equal(patient.state, 'up')
    })

    it('is up with a check that is answered while a last resort is under way, or was begun before it', () => {
      const patient = checked().fails(3)
      const { generation } = patient.health
      patient.probe(true)
      patient.health.noteCheck(null, generation)
      assert.equal(patient.state, 'up')
    })

    it('begins to count checks anew when a last resort has brought it up', () => {
      const patient = checked().check(BAD_CHECK, 3)
      patient.health.noteAnswer(patient.probe(true))
      assert.equal(patient.check(BAD_CHECK, 2).state, 'up')
      assert.equal(patient.check(BAD_CHECK).state, 'down')
    })

    it('does not go down again for a last resort that fails when a check has brought it up', () => {
      const patient = new Patient({ checked: true, maxFails: 1 }).fails(1)
      const generation = patient.probe(true)
      patient.check(null).health.noteFailure(SILENT, generation)
      assert.equal(patient.state, 'up')
    })

    it('says why the last check failed', () => {
      const patient = checked().fails(3).check(BAD_CHECK)
      assert.equal(patient.health.reason, BAD_CHECK)
      assert.equal(patient.events.length, 1)
    })

    it('does not heed a check that was begun before a turning point', () => {
      const patient = checked()
      const { generation } = patient.health
      patient.check(BAD_CHECK, 3).check(null)
      for (let n = 0; n < 9; n++) patient.health.noteCheck(BAD_CHECK, generation)
      assert.equal(patient.state, 'up')
    })
  })
})
