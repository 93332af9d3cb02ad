import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Variables } from '../../../lib/cgi/variables.ts'

test('is a Map in all that it does', () => {
  const name = fc.constantFrom('A', 'B', 'C', 'D')
  const step = fc.tuple(fc.constantFrom('set', 'delete'), name, fc.string())
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const variables = new Variables()
      const map = new Map<string, string>()
      for (const [what, name, value] of steps) {
        if (what === 'delete') {
          variables.delete(name)
          map.delete(name)
        } else {
          variables.set(name, value)
          map.set(name, value)
        }
      }
      assert.deepEqual([...variables], [...map])
      assert.deepEqual(variables.keys(), [...map.keys()])
      const seen: [string, string][] = []
      variables.forEach((value, name) => {
        seen.push([name, value])
      })
      assert.deepEqual(seen, [...map])
      for (const name of ['A', 'B', 'C', 'D']) {
        assert.equal(variables.get(name), map.get(name))
        assert.equal(variables.has(name), map.has(name))
      }
    }),
  )
})

test('has nothing of what was never added', () => {
  const variables = new Variables()
  variables.add('A', '1')
  assert.equal(variables.get('B'), undefined)
  assert.equal(variables.has('B'), false)
})
