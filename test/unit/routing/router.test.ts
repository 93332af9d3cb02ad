import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from '../../../lib/errors.ts'
import { Router } from '../../../lib/routing/router.ts'

function routesOf(hosts: readonly (readonly string[])[], host: string): number[] {
  const locations = hosts.map((own, number) => ({ hosts: own, match: [/./], number }))
  return new Router(locations).routes(host).map(({ location }) => location.number)
}

test('gives every location to every host where none is named', () => {
  assert.deepEqual(routesOf([[], []], 'a.example'), [0, 1])
})

test('keeps the order of the file', () => {
  assert.deepEqual(routesOf([['a.example'], [], ['b.example', 'a.example']], 'a.example'), [0, 1, 2])
  assert.deepEqual(routesOf([['a.example'], [], ['b.example', 'a.example']], 'b.example'), [1, 2])
})

test('gives hosts that no location names to the star', () => {
  assert.deepEqual(routesOf([['*'], ['a.example'], []], 'other.example'), [0, 2])
  assert.deepEqual(routesOf([['*'], ['a.example'], []], 'a.example'), [1, 2])
  assert.deepEqual(routesOf([['*', 'a.example']], 'a.example'), [0])
})

test('gives no location to a host that none is for', () => {
  assert.deepEqual(routesOf([['a.example']], 'b.example'), [])
  assert.deepEqual(routesOf([['a.example']], ''), [])
  assert.deepEqual(routesOf([['a.example']], '*'), [])
})

test('finds no host in what every object has', () => assert.deepEqual(routesOf([['a.example']], '__proto__'), []))

test('compiles the patterns at once', () => {
  assert.throws(() => new Router([{ hosts: [], match: ['/:'] }]), OptionError)
  const [route] = new Router([{ hosts: [], match: ['/a/:b'] }]).routes('x')
  assert.equal(route?.pattern.exec('/a/1')?.params.b, '1')
})
