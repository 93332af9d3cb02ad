import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { type OperatorParam, operatorParams } from '../../../lib/http/operator-params.ts'

const req = { method: 'GET' } as IncomingMessage

function computed(name: string, param: OperatorParam, routeParams: Record<string, string> = {}): string | undefined {
  return new Map(operatorParams(new Map([[name, param]]), req, routeParams)).get(name)
}

test('writes parameters of the route into a text, and asks a function', () => {
  assert.equal(computed('PAGE', 'p-:page-:other', { page: '../a' }), 'p-../a-:other')
  assert.equal(
    computed('METHOD', ({ method }) => method),
    'GET',
  )
  assert.equal(
    computed('NONE', () => undefined),
    undefined,
  )
})

test('lets no parameter of the route say what PHP runs, or with which settings', () => {
  assert.equal(computed('SCRIPT_FILENAME', '/srv/:page.php', { page: 'a/b' }), '/srv/a/b.php')
  assert.equal(computed('PHP_VALUE', 'open_basedir=/srv/:t', { t: 'anna' }), 'open_basedir=/srv/anna')
  const hidden = { code: 'ERR_FCGI_SCRIPT_HIDDEN' }
  assert.throws(() => computed('SCRIPT_FILENAME', '/srv/:page.php', { page: '../b' }), hidden)
  assert.throws(() => computed('PHP_ADMIN_VALUE', 'open_basedir=/srv/:t', { t: 'anna:/' }), hidden)
})

test('refuses what a function gives that is no text, and a function that throws', () => {
  const failed = { code: 'ERR_FCGI_PARAM_FUNCTION', status: 500 }
  assert.throws(() => computed('A', (() => 1) as unknown as OperatorParam), failed)
  assert.throws(
    () =>
      computed('A', () => {
        throw new Error('no')
      }),
    failed,
  )
})
