import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { headerVariable } from '../../lib/cgi/header-variable.ts'

/** What PHP makes of a variable's name: `.`, ` ` and `[` become `_` (php-fpm.md 1). */
function foldedByPhp(variable: string): string {
  return variable.replace(/[. [-]/g, '_').toUpperCase()
}

const name = fc.string({
  unit: fc.constantFrom(...'abzABZ019-_. [:\u017f\u212a\u0131'),
  minLength: 1,
  maxLength: 6,
})

test('no two header names become one variable', () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { selector: (one) => one.toLowerCase() }), (names) => {
      const variables = names.map(headerVariable).filter((variable) => variable !== null)
      assert.equal(new Set(variables.map(foldedByPhp)).size, variables.length, variables.join(' '))
    }),
    { numRuns: 3000 },
  )
})

test('a variable begins with HTTP_ and is letters, digits and underscores', () => {
  fc.assert(
    fc.property(fc.oneof(name, fc.string()), (one) => {
      const variable = headerVariable(one)
      if (variable !== null) assert.match(variable, /^HTTP_[A-Z0-9_]+$/)
    }),
  )
})

test('a name gives the same variable each time it is asked for', () => {
  fc.assert(fc.property(name, (one) => assert.equal(headerVariable(one), headerVariable(one))))
})
