import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientAuthority, parseAuthority } from '../../../../lib/http/request/authority.ts'

for (const [text, name, port] of [
  ['Example.COM', 'example.com', ''],
  ['example.com:8080', 'example.com', '8080'],
  ['example.com.:80', 'example.com', '80'],
  ['example.com:', 'example.com', ''],
  ['[::1]:80', '[::1]', '80'],
  ['[2001:DB8::1]', '[2001:db8::1]', ''],
  ['192.0.2.1', '192.0.2.1', ''],
  ['my_host', 'my_host', ''],
  ['', '', ''],
] as const) {
  test(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseAuthority(text), { name, port }))
}

for (const text of [
  'a/b',
  'a b',
  'a@b',
  'a:b',
  'a:80:80',
  '*',
  'a,b',
  '::1',
  '[::1',
  'a\\b',
  'caf\xe9',
  'a:123456',
  "a'b",
  'a%00',
]) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseAuthority(text), null)
    assert.throws(() => clientAuthority(text), { code: 'ERR_FCGI_BAD_TARGET' })
  })
}

test('reads a host the same however many there were before', () => {
  for (const _ of [1, 2]) {
    for (let index = 0; index < 400; index += 1) {
      assert.deepEqual(clientAuthority(`Host-${index}.example:${index}`), {
        name: `host-${index}.example`,
        port: `${index}`,
      })
    }
    assert.deepEqual(clientAuthority('a'.repeat(300)), { name: 'a'.repeat(300), port: '' })
    assert.throws(() => clientAuthority('a b'), { code: 'ERR_FCGI_BAD_TARGET' })
  }
})
