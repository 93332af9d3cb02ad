import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, it } from 'node:test'
import { ResponderResponse, type ResponseSink } from '../../../lib/responder/response.ts'

/** Keeps what a response sends; `slow` holds every write back until `release`. */
class Sent implements ResponseSink {
  readonly list: string[] = []
  readonly held: (() => void)[] = []
  slow = false

  writeStream(type: number, content: Buffer, done: () => void): void {
    this.list.push(`${type === 6 ? 'out' : 'err'} ${content.toString('latin1')}`)
    if (this.slow) this.held.push(done)
    else done()
  }

  endRequest({ appStatus, stderrUsed }: { readonly appStatus: number; readonly stderrUsed: boolean }): void {
    this.list.push(`end ${appStatus}${stderrUsed ? ' with stderr' : ''}`)
  }

  release(): void {
    for (const done of this.held.splice(0)) done()
  }
}

describe('ResponderResponse', () => {
  it('sends STDOUT and ends the request', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    res.stdout.write('A: b\r\n\r\n')
    res.end('body')
    await once(res, 'close')
    assert.deepEqual(sent.list, ['out A: b\r\n\r\n', 'out body', 'end 0'])
  })

  it('tells its appStatus as 32 bits', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    res.appStatus = -1
    res.stdout.end()
    await once(res, 'close')
    assert.deepEqual(sent.list, ['end 4294967295'])
  })

  it('sends STDERR before the end, also when the connection holds it back', async () => {
    const sent = new Sent()
    sent.slow = true
    const res = new ResponderResponse(sent)
    res.stderr.write('one')
    res.stderr.write('two')
    res.stdout.end()
    await new Promise(setImmediate)
    assert.deepEqual(sent.list, ['err one'])
    while (sent.held.length > 0) {
      sent.release()
      await new Promise(setImmediate)
    }
    assert.deepEqual(sent.list, ['err one', 'err two', 'end 0 with stderr'])
  })

  it('holds its source back while the connection does', async () => {
    const sent = new Sent()
    sent.slow = true
    const res = new ResponderResponse(sent)
    let given = 0
    const source = new Readable({
      read() {
        given += 1
        this.push(given > 100 ? null : Buffer.alloc(10_000))
      },
    })
    const done = pipeline(source, res)
    await new Promise(setImmediate)
    assert.ok(given < 30, `${given} chunks were taken`)
    while (sent.held.length > 0) {
      sent.release()
      await new Promise(setImmediate)
    }
    await done
    assert.equal(sent.list.at(-1), 'end 0')
    assert.equal(given, 101)
  })

  it('writes the head that was set before the first byte of the body, or before the end', async () => {
    const body = new Sent()
    const res = new ResponderResponse(body)
    res.statusCode = 404
    res.setHeader('X-A', 1).setHeader('x-a', 'caf\xe9').setHeader('Gone', 'x').removeHeader('gone')
    assert.deepEqual([res.getHeader('X-a'), res.hasHeader('gone'), res.headersSent], ['caf\xe9', false, false])
    res.write('no')
    assert.equal(res.headersSent, true)
    res.end()
    await once(res, 'close')
    assert.deepEqual(body.list, ['out Status: 404\r\nx-a: caf\xe9\r\n\r\n', 'out no', 'end 0'])
    const nothing = new Sent()
    await once(new ResponderResponse(nothing).end(), 'close')
    assert.deepEqual(nothing.list, ['out Status: 200\r\n\r\n', 'end 0'])
  })

  it('writes with writeHead the fields that were set before, but for those that it replaces', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent).setHeader('A', '1').setHeader('B', ['2', '3'])
    res.writeHead(201, { a: 'new' }).end()
    await once(res, 'close')
    assert.deepEqual(sent.list, ['out Status: 201\r\na: new\r\nB: 2\r\nB: 3\r\n\r\n', 'end 0'])
  })

  it('refuses at once what could not stand in HTTP, and a head that comes too late', () => {
    const res = new ResponderResponse(new Sent())
    const refused = { code: 'ERR_FCGI_BAD_RESPONSE' }
    assert.throws(() => res.setHeader('A B', 'x'), refused)
    assert.throws(() => res.setHeader('A', 'x\r\nB: y'), refused)
    assert.throws(() => {
      res.statusCode = 1000
    }, refused)
    res.writeHead(200)
    assert.throws(() => res.writeHead(200), refused)
    assert.throws(() => res.setHeader('A', 'x'), refused)
  })

  it('fails without the fields of the answer that was meant', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent).setHeader('Content-Length', 3)
    res.fail('broken\n')
    await once(res, 'close')
    assert.doesNotMatch(sent.list.join(), /Content-Length/)
  })

  it('writes a head', async () => {
    const sent = new Sent()
    new ResponderResponse(sent).writeHead(404, { X: 'caf\xe9' }).end('no')
    await new Promise(setImmediate)
    assert.deepEqual(sent.list, ['out Status: 404\r\nX: caf\xe9\r\n\r\n', 'out no', 'end 0'])
  })

  it('fails with status 500, the message on STDERR and appStatus 1', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    res.fail('broken\n')
    await once(res, 'close')
    assert.equal(sent.list[0], 'err broken\n')
    assert.match(sent.list[1] ?? '', /^out Status: 500\r\n/)
    assert.equal(sent.list.at(-1), 'end 1 with stderr')
  })

  it('fails in the middle of an answer without another head', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    res.stdout.write('\r\nhalf')
    res.fail('broken\n')
    await once(res, 'close')
    assert.deepEqual(sent.list, ['out \r\nhalf', 'err broken\n', 'end 1 with stderr'])
  })

  it('ends the request as failed when it is destroyed with an error, once', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    res.on('error', () => undefined)
    res.destroy(new Error('no'))
    res.destroy()
    res.fail('late')
    await new Promise((resolve) => res.on('close', resolve))
    assert.deepEqual(sent.list, ['end 1'])
  })

  it('sends nothing more when it is abandoned', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    const { stderr } = res
    res.abandon()
    await once(res, 'close')
    res.write('late')
    stderr.write('late')
    res.end()
    await new Promise(setImmediate)
    assert.deepEqual(sent.list, [])
  })

  it('outlives a STDERR that is written to after its end', async () => {
    const sent = new Sent()
    const res = new ResponderResponse(sent)
    res.stderr.end('one')
    res.stderr.write('two')
    res.stdout.end()
    await once(res, 'close')
    assert.deepEqual(sent.list, ['err one', 'end 0 with stderr'])
  })
})
