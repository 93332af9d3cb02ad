import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Health, type HealthOptions } from '../../../lib/backend/health.ts'
import { type ConnectionLender, HealthCheck, type HealthCheckOptions } from '../../../lib/backend/health-check.ts'
import { parseAddress } from '../../../lib/client/address.ts'
import { Connection } from '../../../lib/client/connection.ts'
import type { CloseReason } from '../../../lib/diagnostics.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { FCGI_OVERLOADED } from '../../../lib/protocol/constants.ts'
import { eventually } from '../../support/eventually.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { end, type Fake, type FakeRequest, type FakeScript, startFake, stdout } from '../../support/responder.ts'

const NOBODY = {
  connectionWaits: () => undefined,
  connectionAnswers: () => undefined,
  connectionClosed: () => undefined,
}

/** A lender of new connections to one address, that keeps account. */
class Lender implements ConnectionLender {
  readonly #address: string
  readonly lent: Connection[] = []
  readonly returned: CloseReason[] = []
  asked = 0
  full = false

  constructor(address: string) {
    this.#address = address
  }

  borrow(): Connection | null {
    this.asked += 1
    if (this.full) return null
    const connection = new Connection(parseAddress(this.#address), NOBODY)
    this.lent.push(connection)
    return connection
  }

  checkIn(connection: Connection, reason: CloseReason): void {
    this.returned.push(reason)
    connection.close(reason)
  }
}

/** A backend under watch; `events` says what became of it. */
class Watched {
  readonly lender: Lender
  readonly health: Health
  readonly check: HealthCheck
  readonly events: string[] = []
  error: FastCgiError | null = null

  constructor(
    address: string,
    options: Partial<HealthCheckOptions & HealthOptions> = {},
    random: () => number = () => 0.5,
  ) {
    this.lender = new Lender(address)
    this.health = new Health(
      { maxFails: 1, failTimeout: 10_000, checked: true, ...options },
      {
        now: () => performance.now(),
        onDown: (error) => {
          this.error = error
          this.events.push(`down ${error.code}`)
        },
        onUp: () => this.events.push('up'),
      },
    )
    this.check = new HealthCheck(
      { interval: 2, timeout: 30_000, ping: '/ping', script: null, ...options },
      { health: this.health, connections: this.lender, random },
    )
  }

  takeDown(): void {
    const failed = { error: new FastCgiError('ERR_FCGI_CONNECT'), answered: false, ended: false, kept: false }
    this.health.noteFailure(failed, this.health.generation)
  }
}

describe('HealthCheck', { timeout: 60_000 }, () => {
  staysQuiet()

  describe('over a connection', () => {
    const running: { fake: Fake; watched: Watched }[] = []

    afterEach(async () => {
      for (const { fake, watched } of running.splice(0)) {
        watched.check.close()
        await eventually(
          'every connection is given back',
          () => watched.lender.lent.length === watched.lender.returned.length,
        )
        assert.deepEqual(
          watched.lender.lent.filter(({ state }) => state !== 'closed'),
          [],
        )
        await fake.stop()
      }
    })

    async function watch(
      script: FakeScript,
      options: Partial<HealthCheckOptions & HealthOptions> = {},
    ): Promise<Watched & { fake: Fake }> {
      const fake = await startFake(script)
      const watched = new Watched(fake.address, options)
      running.push({ fake, watched })
      watched.check.start()
      return Object.assign(watched, { fake })
    }

    async function fallsWith(
      script: FakeScript,
      code: string,
      detail: RegExp,
      options: Partial<HealthCheckOptions> = {},
    ): Promise<void> {
      const watched = await watch(script, options)
      await eventually('it goes down', () => watched.events.length > 0)
      assert.equal(watched.events[0], `down ${code}`)
      assert.match(watched.error?.detail ?? '', detail)
      watched.fake.failures.splice(0)
    }

    it('asks again and again, each time over a connection of its own that is not kept', async () => {
      const { fake, lender, health } = await watch((request) => request.answer('Status: 200\r\n\r\npong'))
      const third = await fake.request(3)
      assert.equal(third.params.get('SCRIPT_NAME'), '/ping')
      assert.equal(third.keepConn, false)
      assert.equal(fake.connections.peak, 1)
      assert.ok(fake.connections.list.every(({ requests }) => requests.length <= 1))
      assert.ok(lender.returned.length >= 2 && lender.returned.every((reason) => reason === 'not kept'))
      assert.equal(health.state, 'up')
    })

    for (const head of [
      '',
      'Status: 204\r\n',
      'Status: 399\r\n',
      'Location: /elsewhere\r\n',
      'Status: 103\r\nLink: <a>\r\n\r\nStatus: 200\r\n',
    ]) {
      it(`is content with ${JSON.stringify(head)}`, async () => {
        const watched = await watch((request) => request.answer(`Content-Type: text/plain\r\n${head}\r\npong`))
        await watched.fake.request(4)
        assert.deepEqual(watched.events, [])
      })
    }

    for (const status of [400, 403, 500, 503]) {
      it(`is not content with ${status}`, () =>
        fallsWith(
          (request) => request.answer(`Status: ${status}\r\n\r\n`),
          'ERR_FCGI_BAD_RESPONSE',
          new RegExp(`${status}, only 200 to 399`),
        ))
    }

    it('says what a 404 may mean', () =>
      fallsWith((request) => request.answer('Status: 404\r\n\r\n'), 'ERR_FCGI_BAD_RESPONSE', /ping\.path/))

    it('reads a status that comes byte by byte', async () => {
      const answer = [...'Status: 503 Busy\r\n\r\nno'].map((character) => stdout(character))
      await fallsWith((request) => request.send(...answer, end()), 'ERR_FCGI_BAD_RESPONSE', /503/)
    })

    it('heeds the head proper that follows early hints', async () => {
      const answer = 'Status: 103\r\nLink: <a>\r\n\r\nStatus: 500\r\n\r\n'
      await fallsWith((request) => request.answer(answer), 'ERR_FCGI_BAD_RESPONSE', /500/)
    })

    it('is not content with an answer that is none, ends early or is refused', async () => {
      await fallsWith((request) => request.answer('no head at all'), 'ERR_FCGI_BAD_RESPONSE', /./)
      await fallsWith((request) => request.answer(''), 'ERR_FCGI_BAD_RESPONSE', /./)
      await fallsWith((request) => request.connection.close(), 'ERR_FCGI_RESET', /./)
      await fallsWith((request) => request.end({ protocolStatus: FCGI_OVERLOADED }), 'ERR_FCGI_OVERLOADED', /./)
      const half = async (request: FakeRequest): Promise<void> => {
        await request.stdout('Status: 200\r\n\r\nhalf')
        request.connection.close()
      }
      await fallsWith(half, 'ERR_FCGI_TRUNCATED', /./)
    })

    it('gives an answer up that does not come within the timeout, a trickle of a body too', async () => {
      await fallsWith(() => undefined, 'ERR_FCGI_TIMEOUT', /within 20 ms/, { timeout: 20 })
      const endless = async (request: FakeRequest): Promise<void> => {
        await request.stdout('Status: 200\r\n\r\nbegun')
      }
      await fallsWith(endless, 'ERR_FCGI_TIMEOUT', /within 20 ms/, { timeout: 20 })
    })

    it('takes it down with maxFails checks in a row, and up with one', async () => {
      let sick = true
      const watched = await watch((request) => request.answer(`Status: ${sick ? 500 : 200}\r\n\r\n`), {
        maxFails: 3,
        failTimeout: 2,
      })
      await eventually('it is down', () => watched.health.state === 'down')
      assert.ok(watched.fake.requests.length >= 3)
      sick = false
      await eventually('it is up', () => watched.health.state === 'up')
      assert.deepEqual(watched.events, ['down ERR_FCGI_BAD_RESPONSE', 'up'])
    })

    it('gives the check under way up when it is closed, without a verdict', async () => {
      const watched = await watch(() => undefined)
      const request = await watched.fake.request(1)
      watched.check.close()
      await request.gone()
      await eventually('it is given back', () => watched.lender.returned.length === 1)
      assert.deepEqual(watched.lender.returned, ['shutdown'])
      assert.deepEqual(watched.events, [])
    })
  })

  it('tells that nothing listens', async () => {
    const watched = new Watched('/nonexistent/php.sock')
    watched.check.start()
    await eventually('it is down', () => watched.health.state === 'down')
    watched.check.close()
    assert.deepEqual(watched.events, ['down ERR_FCGI_CONNECT'])
  })

  describe('in time', () => {
    beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
    afterEach(() => mock.timers.reset())

    /** A backend without a free place: what is left of a check is when it would have been. */
    function busy(options: Partial<HealthCheckOptions & HealthOptions>, random: () => number): Watched {
      const watched = new Watched('/nonexistent/php.sock', options, random)
      watched.lender.full = true
      watched.check.start()
      return watched
    }

    /** Lets time pass and what follows happen; how often was a connection asked for? */
    async function asked(watched: Watched, milliseconds: number): Promise<number> {
      mock.timers.tick(milliseconds)
      await turn()
      return watched.lender.asked
    }

    it('does not check while every connection is taken: such a backend is busy, not down', async () => {
      const watched = busy({ interval: 1000 }, () => 0.5)
      for (let n = 0; n < 9; n++) await asked(watched, 1000)
      assert.ok(watched.lender.asked > 3)
      assert.deepEqual(watched.events, [])
      watched.check.close()
    })

    it('begins at a random moment of the first interval', async () => {
      for (const [number, first] of [
        [0, 0],
        [0.25, 250],
        [0.999, 999],
      ] as const) {
        const watched = busy({ interval: 1000 }, () => number)
        if (first > 1) assert.equal(await asked(watched, first - 1), 0)
        assert.equal(await asked(watched, 1), 1, String(number))
        watched.check.close()
      }
    })

    it('waits for the interval, a tenth more or less', async () => {
      for (const [number, pause] of [
        [0, 900],
        [0.5, 1000],
        [1, 1100],
      ] as const) {
        const numbers = [0, number, number]
        const watched = busy({ interval: 1000 }, () => numbers.shift() ?? number)
        assert.equal(await asked(watched, 1), 1)
        assert.equal(await asked(watched, pause - 1), 1, String(number))
        assert.equal(await asked(watched, 1), 2, String(number))
        watched.check.close()
      }
    })

    it('waits no longer than failTimeout while the backend is down', async () => {
      const watched = busy({ interval: 60_000, failTimeout: 1000 }, () => 0.5)
      watched.takeDown()
      assert.equal(await asked(watched, 30_000), 1)
      assert.equal(await asked(watched, 999), 1)
      assert.equal(await asked(watched, 1), 2)
      watched.check.close()
    })

    it('is hastened when the backend goes down between two checks', async () => {
      const watched = busy({ interval: 60_000, failTimeout: 1000 }, () => 0.5)
      assert.equal(await asked(watched, 30_000), 1)
      watched.takeDown()
      watched.check.hasten()
      assert.equal(await asked(watched, 999), 1)
      assert.equal(await asked(watched, 1), 2)
      watched.check.close()
    })

    it('asks for nothing more once it is closed, whatever is said to it', async () => {
      const watched = busy({ interval: 1000 }, () => 0)
      assert.equal(await asked(watched, 1), 1)
      watched.check.close()
      watched.check.close()
      watched.check.hasten()
      assert.equal(await asked(watched, 100_000), 1)
    })

    it('gives a connection back that comes when it has been closed', async () => {
      let asked = 0
      let lend: (connection: Connection) => void = () => undefined
      const returned: CloseReason[] = []
      const watched = new Watched('/nonexistent/php.sock')
      const check = new HealthCheck(
        { interval: 1000, timeout: 1000, ping: '/ping', script: null },
        {
          health: watched.health,
          connections: {
            borrow: () => {
              asked += 1
              return new Promise((resolve) => {
                lend = resolve
              })
            },
            checkIn: (_, reason) => returned.push(reason),
          },
          random: () => 0,
        },
      )
      check.start()
      mock.timers.tick(1)
      await turn()
      check.close()
      lend(new Connection(parseAddress('/nonexistent/php.sock'), NOBODY))
      await turn()
      assert.deepEqual(returned, ['shutdown'])
      assert.deepEqual(watched.events, [])
      mock.timers.tick(100_000)
      assert.equal(asked, 1)
    })
  })

  it('keeps no process alive between two checks', () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const watched = new Watched('/nonexistent/php.sock', { interval: 60_000 })
    const before = timers()
    watched.check.start()
    assert.equal(timers(), before)
    watched.check.close()
  })
})
