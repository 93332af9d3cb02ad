import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientAddress, firstOf, unmapAddress } from '../../../../lib/http/request/forwarded.ts'

const private10 = (address: string): boolean => address.startsWith('10.')

for (const [forwardedFor, client] of [
  ['192.0.2.1', '192.0.2.1'],
  ['198.51.100.9, 192.0.2.1', '192.0.2.1'],
  ['198.51.100.9, 192.0.2.1, 10.0.0.2', '192.0.2.1'],
  ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['', '10.0.0.1'],
  ['192.0.2.1, unknown', '10.0.0.1'],
  ['<script>', '10.0.0.1'],
  ['192.0.2.1:5000', '192.0.2.1'],
  ['[2001:db8::1]:5000', '2001:db8::1'],
  ['2001:db8::1', '2001:db8::1'],
  ['999.0.2.1:80', '10.0.0.1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
] as const) {
  test(`takes ${client} for the client of ${JSON.stringify(forwardedFor)}`, () => {
    assert.equal(clientAddress('10.0.0.1', forwardedFor, private10), client)
  })
}

test('counts hops from the peer', () => {
  const hops: [string, number][] = []
  clientAddress('10.0.0.1', '192.0.2.1, 192.0.2.2', (address, hop) => {
    hops.push([address, hop])
    return true
  })
  assert.deepEqual(hops, [
    ['10.0.0.1', 0],
    ['192.0.2.2', 1],
  ])
})

test('unmaps IPv4', () => {
  assert.equal(unmapAddress('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(unmapAddress('::ffff:1'), '::ffff:1')
  assert.equal(unmapAddress('::1'), '::1')
})

test('takes the first of a list', () => {
  assert.equal(firstOf(' a , b'), 'a')
  assert.equal(firstOf(['c, d', 'e']), 'c')
  assert.equal(firstOf(undefined), undefined)
})
