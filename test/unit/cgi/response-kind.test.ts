import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ResponseHead } from '../../../lib/cgi/response-head.ts'
import { ResponseHeadParser } from '../../../lib/cgi/response-head.ts'
import { contentLength, hintedLinks, mayHaveContent, responseKind } from '../../../lib/cgi/response-kind.ts'

function head(text: string): ResponseHead {
  const found = new ResponseHeadParser().push(Buffer.from(`${text}\n\n`, 'latin1'))
  assert.ok(found !== null)
  return found.head
}

describe('responseKind', () => {
  it('tells documents, redirects and early hints apart', () => {
    const cases: readonly (readonly [string, ReturnType<typeof responseKind>])[] = [
      ['Content-Type: text/html', 'document'],
      ['Location: /a?b=c', 'local-redirect'],
      ['Location: /a\nContent-Type: text/html', 'client-redirect'],
      ['Location: //other.test/a', 'client-redirect'],
      ['Location: /a#b', 'client-redirect'],
      ['Location: https://other.test/', 'client-redirect'],
      ['Location: a.php', 'client-redirect'],
      ['Location:', 'document'],
      ['Status: 302\nLocation: /a', 'document'],
      ['Status: 103\nLink: </a>', 'early-hints'],
    ]
    for (const [text, kind] of cases) assert.equal(responseKind(head(text)), kind, text)
  })
})

describe('mayHaveContent', () => {
  it('is false for HEAD, 204, 205 and 304', () => {
    assert.equal(mayHaveContent('HEAD', 200), false)
    for (const status of [204, 205, 304]) assert.equal(mayHaveContent('GET', status), false)
    for (const status of [200, 206, 302, 404, 500]) assert.equal(mayHaveContent('GET', status), true)
  })
})

describe('contentLength', () => {
  it('reads a length, also one that is said twice', () => {
    assert.equal(contentLength(head('X: 1').fields), null)
    assert.equal(contentLength(head('Content-Length: 0').fields), 0)
    assert.equal(contentLength(head('Content-Length: 042').fields), 42)
    assert.equal(contentLength(head('Content-Length: 5\ncontent-length: 5').fields), 5)
  })

  it('refuses text, negative numbers, lists and two that differ', () => {
    for (const value of ['', 'five', '-1', '+1', '1.5', '0x10', '5, 5', '5 5', '9'.repeat(20)]) {
      const { fields } = head(`Content-Length: ${value}`)
      assert.throws(() => contentLength(fields), { code: 'ERR_FCGI_BAD_RESPONSE' }, value)
    }
    const { fields } = head('Content-Length: 5\nContent-Length: 6')
    assert.throws(() => contentLength(fields), { code: 'ERR_FCGI_BAD_RESPONSE' })
  })
})

describe('hintedLinks', () => {
  it('splits links at the commas between them alone', () => {
    const { fields } = head('Link: </a,b>; rel=preload, </c>; title="x, y";rel=preload\nX: 1\nLink: </d>; rel=preload')
    assert.deepEqual(hintedLinks(fields), [
      '</a,b>; rel=preload',
      '</c>; title="x, y";rel=preload',
      '</d>; rel=preload',
    ])
  })

  it('is done with a hostile value at once', () => {
    const { fields } = head(`Link: ${'<"'.repeat(30_000)}`)
    assert.deepEqual(hintedLinks(fields).length <= 30_000, true)
  })
})
