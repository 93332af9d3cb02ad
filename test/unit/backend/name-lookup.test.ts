import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isLoopback, unresolvedError } from '../../../lib/backend/name-lookup.ts'

const address = { kind: 'tcp', host: 'php', port: 9000 } as const

function systemError(code: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code} php`), { code })
}

describe('isLoopback', () => {
  for (const text of ['127.0.0.1', '127.0.1.1', '127.255.255.254', '::1', '::ffff:127.0.0.1']) {
    it(`knows ${text} for this machine`, () => assert.equal(isLoopback(text), true))
  }
  for (const text of ['126.255.255.255', '128.0.0.1', '10.0.0.1', '0.0.0.0', '::', '::2', 'fe80::1', '2001:db8::1']) {
    it(`takes ${text} for another machine`, () => assert.equal(isLoopback(text), false))
  }
})

describe('unresolvedError', () => {
  it('tells a name without an address from name servers that are silent', () => {
    const unknown = unresolvedError(systemError('ENOTFOUND'), address, [])
    const silent = unresolvedError(systemError('EAI_AGAIN'), address, [])
    assert.match(
      unknown.detail,
      /^The host name of php:9000 has no address \(ENOTFOUND\): correct it, or start what it/,
    )
    assert.match(silent.detail, /^The host name of php:9000 cannot be resolved now \(EAI_AGAIN\).*\/etc\/resolv\.conf$/)
    for (const { code, status } of [unknown, silent]) assert.deepEqual([code, status], ['ERR_FCGI_CONNECT', 502])
  })

  it('keeps the error underneath, and repeats one that it does not know', () => {
    const cause = systemError('EAI_FAIL')
    const error = unresolvedError(cause, address, [])
    assert.equal(error.cause, cause)
    assert.equal(error.detail, 'The host name of php:9000 cannot be resolved: getaddrinfo EAI_FAIL php')
    assert.match(unresolvedError('no address', address, []).detail, /cannot be resolved: no address$/)
  })

  it('names the addresses that stay in use', () => {
    const kept = ['192.0.2.1', '2001:db8::1'].map((host) => ({ kind: 'tcp', host, port: 9000 }) as const)
    const { detail } = unresolvedError(systemError('EAI_AGAIN'), address, kept)
    assert.match(detail, /\. Its last addresses stay in use: 192\.0\.2\.1:9000, \[2001:db8::1\]:9000$/)
  })
})
