import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import type { NameLookup, NameRecord } from '../../../lib/backend/name-lookup.ts'
import { NameWatch } from '../../../lib/backend/name-watch.ts'
import type { FastCgiError } from '../../../lib/errors.ts'

const INTERVAL = 30_000

/** A question that the test answers. */
interface Question extends NameLookup {
  readonly host: string
  readonly cancelled: boolean
  answer(...addresses: string[]): Promise<void>
  refuse(code: string): Promise<void>
  tell(...records: NameRecord[]): Promise<void>
}

function question(host: string): Question {
  let resolve: (addresses: readonly string[]) => void
  let reject: (error: Error) => void
  let resolveRecords: (records: readonly NameRecord[]) => void
  let cancelled = false
  return {
    host,
    addresses: new Promise((...settlers) => {
      ;[resolve, reject] = settlers
    }),
    records: new Promise((settle) => {
      resolveRecords = settle
    }),
    cancel: () => {
      cancelled = true
    },
    get cancelled() {
      return cancelled
    },
    answer: (...addresses) => {
      resolve(addresses)
      return settled()
    },
    refuse: (code) => {
      reject(Object.assign(new Error(code), { code }))
      return settled()
    },
    tell: (...records) => {
      resolveRecords(records)
      return settled()
    },
  }
}

describe('NameWatch', () => {
  let asked: Question[] = []
  /** The hosts that onChange was told of, each time. */
  let changes: string[][] = []
  let errors: FastCgiError[] = []
  let watch: NameWatch

  const make = (interval?: number): NameWatch =>
    new NameWatch({
      host: 'php',
      port: 9000,
      onChange: (addresses) => changes.push(addresses.map((address) => (address.kind === 'tcp' ? address.host : ''))),
      onError: (error) => errors.push(error),
      lookUp: (host) => {
        const next = question(host)
        asked.push(next)
        return next
      },
      ...(interval === undefined ? {} : { interval }),
    })
  /** The question under way. */
  const last = (): Question => {
    const question = asked.at(-1)
    assert.ok(question)
    return question
  }
  const start = async (...addresses: string[]): Promise<void> => {
    const ready = watch.ready()
    await last().answer(...addresses)
    await ready
  }
  /** The watch asks after just so many milliseconds. */
  const asksAfter = (milliseconds: number): void => {
    const before = asked.length
    mock.timers.tick(milliseconds - 1)
    assert.equal(asked.length, before, `asks before ${milliseconds} ms`)
    mock.timers.tick(1)
    assert.equal(asked.length, before + 1, `does not ask after ${milliseconds} ms`)
  }

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] })
    asked = []
    changes = []
    errors = []
    watch = make()
  })
  afterEach(() => {
    watch.close()
    mock.timers.reset()
  })

  describe('at first', () => {
    it('asks nothing before somebody needs an address', () => {
      mock.timers.tick(10 * INTERVAL)
      assert.deepEqual([asked.length, watch.addresses], [0, []])
    })

    it('gives every address of both families once, in the order of the system', async () => {
      await start('192.0.2.2', '2001:db8::1', '192.0.2.1', '192.0.2.2')
      assert.deepEqual(watch.addresses, [
        { kind: 'tcp', host: '192.0.2.2', port: 9000 },
        { kind: 'tcp', host: '2001:db8::1', port: 9000 },
        { kind: 'tcp', host: '192.0.2.1', port: 9000 },
      ])
      assert.deepEqual(changes, [['192.0.2.2', '2001:db8::1', '192.0.2.1']])
      assert.equal(last().host, 'php')
    })

    it('tells the addresses before it is ready', async () => {
      const ready = watch.ready().then(() => assert.equal(changes.length, 1))
      await last().answer('192.0.2.1')
      await ready
    })

    it('asks once for all who wait, and not at all for those who come later', async () => {
      const all = Promise.all([watch.ready(), watch.ready()])
      await last().answer('192.0.2.1')
      await all
      await watch.ready()
      assert.equal(asked.length, 1)
    })

    it('is ready without the records', async () => {
      await start('192.0.2.1')
      asksAfter(INTERVAL)
    })

    for (const addresses of [['127.0.0.1'], ['::1', '127.0.0.1'], ['127.0.1.1']]) {
      it(`leaves the family to the connection when the name means this machine: ${addresses.join(', ')}`, async () => {
        await start(...addresses)
        assert.deepEqual(watch.addresses, [{ kind: 'tcp', host: 'php', port: 9000 }])
      })
    }

    it('takes loopback addresses as they are when there are others', async () => {
      await start('127.0.0.1', '192.0.2.1')
      assert.deepEqual(changes, [['127.0.0.1', '192.0.2.1']])
    })
  })

  describe('a first look-up that fails', () => {
    for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
      it(`says ${code} to all who wait, and to nobody else`, async () => {
        const expected = { code: 'ERR_FCGI_CONNECT', detail: new RegExp(`php:9000 .*${code}`) }
        const all = [watch.ready(), watch.ready()].map((ready) => assert.rejects(ready, expected))
        await last().refuse(code)
        await Promise.all(all)
        assert.deepEqual([errors, changes, asked.length], [[], [], 1])
      })
    }

    it('is one without an address too', async () => {
      const refused = assert.rejects(watch.ready(), { code: 'ERR_FCGI_CONNECT', detail: /no address/ })
      await last().answer()
      await refused
      assert.deepEqual([watch.addresses, changes], [[], []])
    })

    it('is repeated by the next who needs an address, not by a timer', async () => {
      const refused = assert.rejects(watch.ready())
      await last().refuse('ENOTFOUND')
      await refused
      assert.equal(last().cancelled, true, 'the DNS is not asked any longer')
      mock.timers.tick(10 * INTERVAL)
      assert.equal(asked.length, 1)
      await start('192.0.2.1')
      assert.deepEqual([asked.length, changes], [2, [['192.0.2.1']]])
    })
  })

  describe('asking again', () => {
    beforeEach(() => start('192.0.2.1', '192.0.2.2'))

    it('comes after 30 s when no TTL is known, again and again', async () => {
      for (let count = 0; count < 3; count += 1) {
        asksAfter(INTERVAL)
        await last().answer('192.0.2.1', '192.0.2.2')
      }
    })

    it('tells nothing when the system turns the addresses round', async () => {
      asksAfter(INTERVAL)
      await last().answer('192.0.2.2', '192.0.2.1')
      assert.equal(changes.length, 1)
      assert.deepEqual(
        watch.addresses.map((address) => address.kind === 'tcp' && address.host),
        ['192.0.2.1', '192.0.2.2'],
      )
    })

    it('keeps the order and the identity of known addresses, and puts new ones behind', async () => {
      const before = watch.addresses
      asksAfter(INTERVAL)
      await last().answer('192.0.2.9', '192.0.2.2', '192.0.2.1')
      assert.deepEqual(changes.at(-1), ['192.0.2.1', '192.0.2.2', '192.0.2.9'])
      assert.ok(before.every((address, index) => watch.addresses[index] === address))
    })

    it('drops the address that vanished, and the one that was replaced', async () => {
      asksAfter(INTERVAL)
      await last().answer('192.0.2.2')
      asksAfter(INTERVAL)
      await last().answer('192.0.2.3')
      assert.deepEqual(changes.slice(1), [['192.0.2.2'], ['192.0.2.3']])
    })

    it('waits for a look-up that hangs, and serves meanwhile', async () => {
      asksAfter(INTERVAL)
      mock.timers.tick(10 * INTERVAL)
      await watch.ready()
      assert.deepEqual([asked.length, watch.addresses.length], [2, 2])
      await last().answer('192.0.2.3')
      assert.deepEqual(changes.at(-1), ['192.0.2.3'])
    })
  })

  describe('the TTL', () => {
    const record = (address: string, ttl: number): NameRecord => ({ address, ttl })

    it('says when to ask again: the shortest of the addresses', async () => {
      await start('192.0.2.1', '2001:db8::1')
      await last().tell(record('192.0.2.1', 20), record('2001:db8::1', 5))
      asksAfter(5000)
    })

    it('does not count for addresses that the system does not give', async () => {
      await start('192.0.2.1')
      await last().tell(record('192.0.2.2', 5))
      asksAfter(INTERVAL)
    })

    it('is one second at least', async () => {
      await start('192.0.2.1')
      await last().tell(record('192.0.2.1', 0))
      asksAfter(1000)
    })

    it('is 30 s at most, as Docker tells 600 s for containers that move', async () => {
      await start('192.0.2.1')
      await last().tell(record('192.0.2.1', 600))
      asksAfter(INTERVAL)
    })

    it('is at most what the watch was told', async () => {
      watch = make(100)
      await start('192.0.2.1')
      await last().tell(record('192.0.2.1', 5))
      asksAfter(100)
    })

    it('counts when it comes before the addresses', async () => {
      const ready = watch.ready()
      await last().tell(record('192.0.2.1', 5))
      await last().answer('192.0.2.1')
      await ready
      asksAfter(5000)
    })

    it('does not count any more when the name is asked again', async () => {
      await start('192.0.2.1')
      const first = last()
      asksAfter(INTERVAL)
      assert.equal(first.cancelled, true)
      await first.tell(record('192.0.2.1', 5))
      mock.timers.tick(10 * INTERVAL)
      assert.equal(asked.length, 2)
    })
  })

  describe('a later look-up that fails', () => {
    beforeEach(async () => {
      await start('192.0.2.1')
      asksAfter(INTERVAL)
    })

    it('keeps the addresses, and is told with them', async () => {
      await last().refuse('EAI_AGAIN')
      await watch.ready()
      assert.equal(watch.addresses.length, 1)
      assert.equal(changes.length, 1)
      assert.match(errors[0]?.detail ?? '', /EAI_AGAIN.*Its last addresses stay in use: 192\.0\.2\.1:9000$/)
    })

    it('keeps them when there is no address any more', async () => {
      await last().answer()
      assert.deepEqual([watch.addresses.length, changes.length, errors.length], [1, 1, 1])
    })

    it('is repeated after pauses that grow to 30 s', async () => {
      for (const pause of [1, 2, 4, 8, 16, 30, 30]) {
        await last().refuse('EAI_AGAIN')
        asksAfter(pause * 1000)
      }
    })

    it('is told once until the name can be resolved again, and the pauses start anew', async () => {
      await last().refuse('EAI_AGAIN')
      asksAfter(1000)
      await last().refuse('ENOTFOUND')
      assert.equal(errors.length, 1)
      asksAfter(2000)
      await last().answer('192.0.2.1')
      asksAfter(INTERVAL)
      await last().refuse('ENOTFOUND')
      assert.equal(errors.length, 2)
      asksAfter(1000)
    })
  })

  describe('closing', () => {
    const closed = { code: 'ERR_FCGI_CLOSED' }

    it('refuses those who wait and those who come', async () => {
      const waiting = assert.rejects(watch.ready(), closed)
      watch.close()
      await waiting
      await assert.rejects(watch.ready(), closed)
      assert.equal(asked.length, 1)
    })

    it('gives the question up, and hears no answer to it', async () => {
      const waiting = assert.rejects(watch.ready(), closed)
      watch.close()
      assert.equal(last().cancelled, true)
      await last().answer('192.0.2.1')
      await last().tell({ address: '192.0.2.1', ttl: 5 })
      await waiting
      mock.timers.tick(10 * INTERVAL)
      assert.deepEqual([changes, watch.addresses, asked.length], [[], [], 1])
    })

    it('hears no failure', async () => {
      await start('192.0.2.1')
      asksAfter(INTERVAL)
      watch.close()
      await last().refuse('EAI_AGAIN')
      mock.timers.tick(10 * INTERVAL)
      assert.deepEqual([errors, asked.length], [[], 2])
    })

    it('hears no TTL', async () => {
      await start('192.0.2.1')
      watch.close()
      await last().tell({ address: '192.0.2.1', ttl: 5 })
      mock.timers.tick(10 * INTERVAL)
      assert.equal(asked.length, 1)
    })

    it('asks no more, and may be done twice', async () => {
      await start('192.0.2.1')
      watch.close()
      watch.close()
      mock.timers.tick(10 * INTERVAL)
      assert.equal(asked.length, 1)
      assert.equal(watch.addresses.length, 1)
    })
  })

  it('does not keep the process alive by its timer', async () => {
    mock.timers.reset()
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    await start('192.0.2.1')
    assert.equal(timers(), before)
  })
})
