import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RequestFacts } from '../../../../lib/cgi/facts.ts'
import { withSlash } from '../../../../lib/http/resolution/redirect.ts'
import { factsOf } from '../../../support/facts.ts'

function to(url: string, given: Partial<RequestFacts> = {}): string {
  return withSlash(factsOf(url, given))
}

test('adds the slash before the query', () => {
  assert.equal(to('/a'), '/a/')
  assert.equal(to('/a?b=%20&c'), '/a/?b=%20&c')
})

test('puts the mount in front as the client wrote it', () => {
  assert.equal(to('/a', { mount: '/S%75b' }), '/S%75b/a/')
})

test('leads from the mount itself to its slash', () => {
  assert.equal(to('/?x', { mount: '/sub', atMount: true }), '/sub/?x')
})

test('keeps a path as it was encoded', () => {
  const path = "/a%20b/%C3%A9/~!$&'()*+,;=:@-._[]"
  assert.equal(to(path), `${path}/`)
})

for (const [url, location] of [
  ['//evil.example/a', '/evil.example/a/'],
  ['///evil.example', '/evil.example/'],
  ['/\\evil.example', '/%5Cevil.example/'],
  ['/caf\xe9', '/caf%E9/'],
  ['/a\r\nSet-Cookie: b', '/a%0D%0ASet-Cookie:%20b/'],
  ['/a?"<b>', '/a/?%22%3Cb%3E'],
  ['/a`{|}^', '/a%60%7B%7C%7D%5E/'],
] as const) {
  test(`leads ${JSON.stringify(url)} to ${location}`, () => assert.equal(to(url), location))
}

test('stays on this host also with a mount of slashes', () => {
  assert.equal(to('/a', { mount: '//evil.example' }), '/evil.example/a/')
})
