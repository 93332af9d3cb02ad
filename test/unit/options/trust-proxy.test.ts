import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OptionError } from '../../../lib/errors.ts'
import { trustProxy } from '../../../lib/options/trust-proxy.ts'

const trusts = (value: unknown, address: string, hop = 0): boolean | undefined =>
  trustProxy.resolve(value, 'trustProxy')?.(address, hop)

describe('trustProxy', () => {
  const cases: ReadonlyArray<readonly [unknown, string, number, boolean]> = [
    [true, '8.8.8.8', 9, true],
    [false, '127.0.0.1', 0, false],
    [2, '8.8.8.8', 1, true],
    [2, '8.8.8.8', 2, false],
    [0, '8.8.8.8', 0, false],
    ['1', '8.8.8.8', 0, true],
    ['loopback', '127.9.9.9', 0, true],
    ['loopback', '::1', 0, true],
    ['loopback', '10.0.0.1', 0, false],
    ['linklocal', 'fe80::1', 0, true],
    ['linklocal', '169.254.1.1', 0, true],
    ['uniquelocal', '192.168.1.1', 0, true],
    ['uniquelocal', 'fd00::1', 0, true],
    ['uniquelocal', '172.32.0.1', 0, false],
    ['loopback, 10.0.0.0/8', '10.255.0.1', 0, true],
    [['203.0.113.7'], '203.0.113.7', 0, true],
    [['203.0.113.7'], '203.0.113.8', 0, false],
    [['10.0.0.0/255.255.0.0'], '10.0.9.9', 0, true],
    [['10.0.0.0/255.255.0.0'], '10.1.0.0', 0, false],
    [['10.0.0.0/8'], '::ffff:10.1.1.1', 0, true],
    [['2001:db8::/32'], '2001:db8:1::1', 0, true],
    [['2001:db8::/32'], '2001:db9::1', 0, false],
    [['10.0.0.0/8'], 'not an address', 0, false],
    [[], '127.0.0.1', 0, false],
  ]
  for (const [value, address, hop, trusted] of cases) {
    it(`${JSON.stringify(value)} ${trusted ? 'trusts' : 'does not trust'} ${address} at hop ${hop}`, () => {
      assert.equal(trusts(value, address, hop), trusted)
    })
  }

  it('takes a function as it is', () => {
    const trust = (): boolean => true
    assert.equal(trustProxy.resolve(trust, 'trustProxy'), trust)
  })

  for (const value of [
    -1,
    1.5,
    Number.NaN,
    'localhost',
    ['10.0.0.0/33'],
    ['10.0.0.0/0'],
    ['10.0.0.0/8/8'],
    [1],
    null,
    {},
    '::1/129',
  ]) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      assert.throws(() => trustProxy.resolve(value, 'trustProxy'), OptionError)
    })
  }

  it('reads On, Off, hops and networks of a file', () => {
    assert.deepEqual(['On', 'off', '2', 'loopback 10.0.0.0/8'].map(trustProxy.read), [
      true,
      false,
      2,
      ['loopback', '10.0.0.0/8'],
    ])
  })
})
