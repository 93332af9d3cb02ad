import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from '../../../lib/errors.ts'
import { compilePattern, fillParameters, type Match } from '../../../lib/routing/pattern.ts'

function exec(match: Match | readonly Match[], text: string): { params: object; fixed: string } | null {
  const found = compilePattern(typeof match === 'string' || match instanceof RegExp ? [match] : match).exec(text)
  return found === null ? null : { params: { ...found.params }, fixed: found.fixed }
}

test('matches a RegExp anywhere in the path', () => {
  assert.deepEqual(exec(/\.php(\/|$)/, '/a/b.php/c'), { params: {}, fixed: '' })
  assert.equal(exec(/\.php(\/|$)/, '/a/b.phpx'), null)
})

for (const flags of ['g', 'y', 'gy']) {
  test(`remembers nothing of a RegExp with the flags ${flags} from one path to the next`, () => {
    const regexp = new RegExp('/a', flags)
    const pattern = compilePattern([regexp])
    for (const _ of [1, 2, 3]) assert.notEqual(pattern.exec('/a'), null)
    assert.equal(regexp.lastIndex, 0)
  })
}

test('keeps the anchor that the flag y is', () => assert.equal(exec(/b/y, '/b'), null))

test('gives the named groups of a RegExp, empty where they took no part', () => {
  assert.deepEqual(exec(/^\/(?<lang>[a-z]{2})(?:\/(?<page>.+))?$/, '/de'), {
    params: { lang: 'de', page: '' },
    fixed: '',
  })
})

test('matches a route with its parameters', () => {
  assert.deepEqual(exec('/wiki{/*page}', '/wiki/a/b c'), { params: { page: 'a/b c' }, fixed: '/wiki' })
  assert.deepEqual(exec('/wiki{/*page}', '/wiki'), { params: { page: '' }, fixed: '/wiki' })
  assert.deepEqual(exec('/wiki{/*page}', '/wiki/'), { params: { page: '' }, fixed: '/wiki' })
  assert.equal(exec('/wiki{/*page}', '/wikipedia'), null)
  assert.deepEqual(exec('/:user/x', '/100%/x'), { params: { user: '100%' }, fixed: '' })
})

for (const [route, path, fixed] of [
  ['/cgi-bin/tool', '/cgi-bin/tool', '/cgi-bin/tool'],
  ['/cgi-bin/tool', '/cgi-bin/tool/', '/cgi-bin/tool'],
  ['/a/:b', '/a/1', '/a'],
  ['/a/b-:c', '/a/b-1', '/a'],
  ['/b-:c', '/b-1', ''],
  ['/page{.html}', '/page.html', ''],
  ['/*all', '/a', ''],
  ['/', '/', ''],
  ['/a{/b}{/:c}', '/a/b/1', '/a'],
  ['{/a}/b', '/b', ''],
] as const) {
  test(`takes ${fixed || 'nothing'} of ${route} as its fixed part`, () => assert.equal(exec(route, path)?.fixed, fixed))
}

test('gives a parameter of an optional part that stands in several alternatives', () => {
  assert.deepEqual(exec('/a{/:x}/z{/:y}', '/a/1/z'), { params: { x: '1', y: '' }, fixed: '/a' })
  assert.deepEqual(exec('/a{/:x}/z{/:y}', '/a/z/2'), { params: { x: '', y: '2' }, fixed: '/a' })
})

test('takes the first of several that matches', () => {
  assert.deepEqual(exec(['/a/:b', /a/], '/a/1'), { params: { b: '1' }, fixed: '/a' })
  assert.deepEqual(exec(['/a/:b', /a/], '/xa'), { params: {}, fixed: '' })
  assert.equal(exec(['/a/:b', /a/], '/x'), null)
  assert.equal(exec([], '/x'), null)
})

for (const route of ['/:', '/a?', '/(x)', '/*', '/{a']) {
  test(`refuses the route ${route} by name`, () => {
    assert.throws(
      () => compilePattern([route]),
      (error: Error) => error instanceof OptionError && error.message.includes(JSON.stringify(route)),
    )
  })
}

test('fills parameters in, and leaves what is none', () => {
  assert.equal(fillParameters('/srv/:a/:b.cgi', { a: 'x', b: 'y' }), '/srv/x/y.cgi')
  assert.equal(fillParameters('C:/x/:none:', { a: 'x' }), 'C:/x/:none:')
  assert.equal(fillParameters('/srv', { a: 'x' }), '/srv')
  assert.equal(fillParameters(':a', { a: ':a $& $1' }), ':a $& $1')
  assert.equal(fillParameters(':ab', { a: 'x' }), ':ab')
})

test('finds no parameter in what every object has', () => {
  const params = compilePattern([/x/]).exec('x')?.params ?? {}
  assert.equal(fillParameters(':constructor :toString', params), ':constructor :toString')
})

test('asks about each value that is filled in', () => {
  const seen: string[] = []
  fillParameters('/:a/:b', { a: '1', b: '2', c: '3' }, (name, value) => seen.push(`${name}=${value}`))
  assert.deepEqual(seen, ['a=1', 'b=2'])
})
