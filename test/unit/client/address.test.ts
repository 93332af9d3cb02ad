import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAddress, parseAddress } from '../../../lib/client/address.ts'
import { OptionError } from '../../../lib/errors.ts'

describe('parseAddress', () => {
  it('takes a host and a port', () => {
    assert.deepEqual(parseAddress('127.0.0.1:9000'), { kind: 'tcp', host: '127.0.0.1', port: 9000 })
    assert.deepEqual(parseAddress('php-fpm.internal:1'), { kind: 'tcp', host: 'php-fpm.internal', port: 1 })
    assert.deepEqual(parseAddress('localhost:65535'), { kind: 'tcp', host: 'localhost', port: 65_535 })
  })

  it('takes an IPv6 address in brackets, with its zone', () => {
    assert.deepEqual(parseAddress('[::1]:9000'), { kind: 'tcp', host: '::1', port: 9000 })
    assert.deepEqual(parseAddress('[::ffff:10.0.0.1]:9000'), { kind: 'tcp', host: '::ffff:10.0.0.1', port: 9000 })
    assert.deepEqual(parseAddress('[fe80::1%eth0]:9000'), { kind: 'tcp', host: 'fe80::1%eth0', port: 9000 })
  })

  it('takes everything with a slash as the path of a unix socket', () => {
    assert.deepEqual(parseAddress('/run/php/php-fpm.sock'), { kind: 'unix', path: '/run/php/php-fpm.sock' })
    assert.deepEqual(parseAddress('./s:9000'), { kind: 'unix', path: './s:9000' })
    assert.deepEqual(parseAddress('unix:/run/s'), { kind: 'unix', path: '/run/s' })
    assert.deepEqual(parseAddress('unix:s'), { kind: 'unix', path: 's' })
  })

  it('refuses what is no address and says what is one', () => {
    const wrong = ['', 'localhost', '9000', ':9000', 'a:', 'a:0', 'a:65536', 'a:123456', 'a:x', 'a:9000 ', 'a b:9000']
    for (const text of [...wrong, '::1:9000', '[::1]', '[::1]9000', '[host]:9000', '[]:9000', 'a:-1', 'a:1e3']) {
      assert.throws(() => parseAddress(text), isOptionError(/host:port, \[v6\]:port/), text)
    }
  })

  it('refuses a socket path that the system would cut, and one that is none', () => {
    const longest = `/${'a'.repeat(process.platform === 'linux' ? 106 : 102)}`
    assert.deepEqual(parseAddress(longest), { kind: 'unix', path: longest })
    assert.throws(() => parseAddress(`${longest}a`), isOptionError(/has \d+ bytes, the system allows \d+/))
    // The system counts bytes, not characters.
    assert.throws(() => parseAddress(`/${'ä'.repeat(60)}`), isOptionError(/has 121 bytes/))
    assert.throws(() => parseAddress('unix:'), isOptionError(/is none/))
    assert.throws(() => parseAddress('tcp://127.0.0.1:9000'), isOptionError(/is a URL/))
    assert.throws(() => parseAddress('/a\0b'), isOptionError(/is none/))
  })
})

describe('formatAddress', () => {
  it('writes what parseAddress reads', () => {
    for (const text of ['127.0.0.1:9000', 'localhost:80', '[::1]:9000', '[fe80::1%eth0]:1', '/run/s', './s']) {
      assert.equal(formatAddress(parseAddress(text)), text)
    }
  })
})

function isOptionError(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof OptionError && message.test(error.message)
}
