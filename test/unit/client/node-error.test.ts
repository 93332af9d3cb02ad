import assert from 'node:assert/strict'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Address } from '../../../lib/client/address.ts'
import { connectError, isBacklogFull, lostConnectionError } from '../../../lib/client/node-error.ts'

const unix: Address = { kind: 'unix', path: '/run/php/none.sock' }
const tcp: Address = { kind: 'tcp', host: '::1', port: 9000 }

function nodeError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code })
}

describe('isBacklogFull', () => {
  it('is EAGAIN and nothing else', () => {
    assert.equal(isBacklogFull(nodeError('EAGAIN')), true)
    for (const error of [nodeError('ECONNREFUSED'), new Error('EAGAIN'), 'EAGAIN', null, { code: 'EAGAIN' }]) {
      assert.equal(isBacklogFull(error), false)
    }
  })
})

describe('connectError', () => {
  const detail = (code: string, address: Address = unix): string => {
    const cause = nodeError(code)
    const error = connectError(cause, address)
    assert.equal(error.code, 'ERR_FCGI_CONNECT')
    assert.equal(error.cause, cause)
    assert.ok(!error.message.includes('php'))
    return error.detail
  }

  it('names the address and what mends it', () => {
    assert.match(detail('ENOENT'), /No socket \/run\/php\/none\.sock: start the backend/)
    assert.match(detail('ECONNREFUSED', tcp), /Nothing listens at \[::1\]:9000: start the backend/)
    assert.match(detail('ENOTSOCK'), /no socket: correct the address/)
    assert.match(detail('ENOTFOUND', tcp), /cannot be resolved/)
    assert.match(detail('EAI_AGAIN', tcp), /cannot be resolved/)
    assert.match(detail('EMFILE', tcp), /ulimit -n/)
    assert.match(detail('ENFILE', tcp), /ulimit -n/)
    assert.match(detail('EHOSTUNREACH', tcp), /Cannot connect to \[::1\]:9000: connect EHOSTUNREACH/)
  })

  it('names the code where the error has no message, as when every address of a name failed', () => {
    const cause = Object.assign(new AggregateError([nodeError('EHOSTUNREACH')]), { code: 'EHOSTUNREACH' })
    assert.match(connectError(cause, tcp).detail, /Cannot connect to \[::1\]:9000: EHOSTUNREACH/)
    assert.match(connectError('odd', tcp).detail, /Cannot connect to \[::1\]:9000: odd/)
  })

  it("names a socket's owner, group and mode and who we are where permission is missing", async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fcgi-owner-'))
    const path = join(directory, 's')
    await writeFile(path, '')
    await chmod(path, 0o640)
    const [owner, group] = process.getuid?.() === 0 ? [4711, 4712] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
    await chown(path, owner, group)
    for (const code of ['EACCES', 'EPERM']) {
      const text = detail(code, { kind: 'unix', path })
      assert.ok(text.includes(`No permission to connect to ${path}`), text)
      assert.ok(text.includes(`(owner ${owner}, group ${group}, mode 0640; we are uid ${process.getuid?.()}`), text)
      assert.match(text, /listen\.owner/)
    }
    await rm(directory, { recursive: true })
  })

  it('says that a directory is closed where the socket cannot even be looked at', () => {
    assert.match(detail('EACCES'), /we are uid \d+, gid \d+; a directory above it is closed to us/)
    assert.match(detail('EACCES', tcp), /No permission to connect to \[::1\]:9000: /)
  })
})

describe('lostConnectionError', () => {
  it('tells an answer that was cut from one that never came', () => {
    const cut = lostConnectionError(nodeError('ECONNRESET'), { address: tcp, answered: true })
    assert.equal(cut.code, 'ERR_FCGI_TRUNCATED')
    assert.match(cut.detail, /\[::1\]:9000 cut the connection \(ECONNRESET\) in the middle of its answer/)
    const none = lostConnectionError(null, { address: unix, answered: false })
    assert.equal(none.code, 'ERR_FCGI_RESET')
    assert.equal(none.cause, undefined)
    assert.match(none.detail, /none\.sock closed the connection without an answer/)
    const odd = lostConnectionError(new Error('odd'), { address: unix, answered: false })
    assert.match(odd.detail, /cut the connection \(odd\)/)
  })
})
