import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { ResponderRequest } from '../../../lib/responder/request.ts'

function request(): ResponderRequest {
  return new ResponderRequest(new Map([['A', 'b']]), () => undefined)
}

describe('ResponderRequest', () => {
  it('has parameters and a body', async () => {
    const req = request()
    assert.equal(req.params.get('A'), 'b')
    req.stdin.push('some ')
    req.stdin.push('bytes')
    req.stdin.push(null)
    assert.equal(await text(req.stdin), 'some bytes')
    assert.equal(req.aborted, false)
  })

  it('asks for more when its body is read', () => {
    let wanted = 0
    const req = new ResponderRequest(new Map(), () => {
      wanted += 1
    })
    assert.equal(wanted, 0)
    req.stdin.read()
    assert.equal(wanted, 1)
  })

  it('aborts a signal that was taken before, and one that is taken after', () => {
    const before = request()
    const { signal } = before
    assert.equal(signal.aborted, false)
    before.abort()
    assert.equal(signal.aborted, true)
    assert.equal(before.signal, signal)
    const after = request()
    after.abort()
    assert.equal(after.signal.aborted, true)
    assert.equal(after.aborted, true)
  })

  it('ends a body that is being read with a failure, not with an end', async () => {
    const req = request()
    req.stdin.push('half')
    const read = text(req.stdin)
    req.abort()
    await assert.rejects(read)
  })

  it('says method, path and fields as the web server passes them on', () => {
    const req = new ResponderRequest(
      new Map([
        ['REQUEST_METHOD', 'POST'],
        ['REQUEST_URI', '/a%20b?c=d'],
        ['HTTP_X_FOO', 'caf\xe9'],
        ['HTTP___PROTO__', 'x'],
        ['CONTENT_TYPE', 'text/plain'],
        ['CONTENT_LENGTH', ''],
      ]),
      () => undefined,
    )
    assert.deepEqual([req.method, req.url], ['POST', '/a%20b?c=d'])
    assert.deepEqual({ ...req.headers }, { 'x-foo': 'caf\xe9', '--proto--': 'x', 'content-type': 'text/plain' })
    assert.equal(req.headers.constructor, undefined)
  })

  it('puts its URL together where there is no REQUEST_URI', () => {
    const urlOf = (params: Readonly<Record<string, string>>): string =>
      new ResponderRequest(new Map(Object.entries(params)), () => undefined).url
    assert.equal(urlOf({ SCRIPT_NAME: '/app', PATH_INFO: '/x', QUERY_STRING: 'y=1' }), '/app/x?y=1')
    assert.equal(urlOf({ QUERY_STRING: '' }), '/')
    assert.equal(new ResponderRequest(new Map(), () => undefined).method, 'GET')
  })

  it('is a stream of its body', async () => {
    const req = request()
    req.push('some bytes')
    req.push(null)
    assert.equal(await text(req), 'some bytes')
  })
})
