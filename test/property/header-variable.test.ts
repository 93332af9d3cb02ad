import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyParams, buildEnvironment } from '../../lib/cgi/environment.ts'
import { headerVariable } from '../../lib/cgi/header-variable.ts'
import { factsOf } from '../support/facts.ts'

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

const script = { scriptName: '/x.php', pathInfo: '', scriptFilename: '/srv/x.php', documentRoot: '/srv' }
const noBody = { contentLength: null, contentType: undefined, dropContentEncoding: false }

/** Names that fold to few variables, so that they meet. */
const spelling = fc.string({ unit: fc.constantFrom('x', 'y', '-', '_', '.', ' ', '['), minLength: 1, maxLength: 3 })
const headers = fc.dictionary(spelling, fc.constant('client'))
const params = fc.array(
  fc.tuple(
    spelling.map((one) => `HTTP_${one.toUpperCase().replaceAll('-', '_')}`),
    fc.constantFrom('operator', '', undefined),
  ),
)

test('no two names of an environment fold to one, whatever the client and the operator write', () => {
  fc.assert(
    fc.property(headers, params, (given, operator) => {
      const environment = buildEnvironment({ facts: factsOf('/x.php', { headers: given }), script, body: noBody })
      applyParams(environment, operator)
      const folded = [...environment.keys()].map(foldedByPhp)
      assert.equal(new Set(folded).size, folded.length, folded.join(' '))
    }),
    { numRuns: 3000 },
  )
})

test('the operator has the last word on each variable, also on one that is not to be sent', () => {
  fc.assert(
    fc.property(headers, params, (given, operator) => {
      const environment = buildEnvironment({ facts: factsOf('/x.php', { headers: given }), script, body: noBody })
      applyParams(environment, operator)
      const inPhp = new Map([...environment].map(([variable, value]) => [foldedByPhp(variable), value]))
      const last = new Map(operator.map(([variable, value]) => [foldedByPhp(variable), value]))
      for (const [variable, value] of last) assert.equal(inPhp.get(variable), value === '' ? undefined : value)
    }),
    { numRuns: 3000 },
  )
})
