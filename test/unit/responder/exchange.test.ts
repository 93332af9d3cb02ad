import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { Exchange, type ExchangeOwner, type ResponderListener } from '../../../lib/responder/exchange.ts'

const PARAMS = Buffer.from('\x01\x01Ab', 'latin1')

/** An exchange and what it asked of its connection. */
function begun(): { readonly exchange: Exchange; readonly asked: string[] } {
  const asked: string[] = []
  const owner: ExchangeOwner = {
    writeStream: (type, content, done) => {
      asked.push(`${type} ${content}`)
      done()
    },
    endRequest: ({ appStatus }) => void asked.push(`end ${appStatus}`),
    holdBack: () => void asked.push('hold back'),
    letGo: () => void asked.push('let go'),
    failed: (error) => void asked.push(`failed ${error}`),
  }
  return { exchange: new Exchange(owner), asked }
}

function inStdin(listener: ResponderListener = () => undefined): ReturnType<typeof begun> {
  const made = begun()
  made.exchange.addParams(PARAMS)
  made.exchange.endParams(listener)
  return made
}

describe('Exchange', () => {
  it('calls the application when the parameters are complete, in pieces or not', () => {
    for (let cut = 0; cut <= PARAMS.length; cut += 1) {
      const { exchange } = begun()
      exchange.addParams(PARAMS.subarray(0, cut))
      exchange.addParams(PARAMS.subarray(cut))
      let seen: [string, string][] = []
      exchange.endParams((req) => {
        seen = [...req.params]
      })
      assert.deepEqual(seen, [['A', 'b']])
    }
  })

  it('gives the body', async () => {
    let body: Promise<string> = Promise.resolve('')
    const { exchange } = inStdin((req) => {
      body = text(req.stdin)
    })
    exchange.addStdin(Buffer.from('some '))
    assert.equal(exchange.received, false)
    exchange.addStdin(Buffer.from('bytes'))
    exchange.endStdin()
    assert.equal(exchange.received, true)
    assert.equal(await body, 'some bytes')
  })

  it('holds the connection back while nobody reads the body', () => {
    const { exchange, asked } = inStdin()
    exchange.addStdin(Buffer.alloc(1_000_000))
    assert.deepEqual(asked, ['hold back'])
  })

  for (const [what, act] of [
    ['PARAMS after their end', (exchange) => exchange.addParams(PARAMS)],
    ['a second end of PARAMS', (exchange) => exchange.endParams(() => undefined)],
    [
      'STDIN after its end',
      (exchange) => {
        exchange.endStdin()
        exchange.addStdin(Buffer.from('x'))
      },
    ],
    [
      'a second end of STDIN',
      (exchange) => {
        exchange.endStdin()
        exchange.endStdin()
      },
    ],
  ] as const satisfies readonly (readonly [string, (exchange: Exchange) => void])[]) {
    it(`refuses ${what}`, () => {
      assert.throws(() => act(inStdin().exchange), { code: 'ERR_FCGI_PROTOCOL' })
    })
  }

  it('refuses STDIN before the end of PARAMS, a pair that is cut, and PARAMS without measure', () => {
    assert.throws(() => begun().exchange.addStdin(Buffer.from('x')), { code: 'ERR_FCGI_PROTOCOL' })
    assert.throws(() => begun().exchange.endStdin(), { code: 'ERR_FCGI_PROTOCOL' })
    const cut = begun().exchange
    cut.addParams(PARAMS.subarray(0, 3))
    assert.throws(() => cut.endParams(() => assert.fail()), { code: 'ERR_FCGI_PROTOCOL' })
    const endless = begun().exchange
    assert.throws(() => {
      for (let index = 0; index < 17; index += 1) endless.addParams(Buffer.alloc(65_535))
    }, /FastCGI/)
  })

  it('ends the body for its reader when the request is over before it', async () => {
    let body: Promise<string> = Promise.resolve('')
    const { exchange } = inStdin((req, res) => {
      body = text(req.stdin)
      res.end()
    })
    exchange.addStdin(Buffer.from('half'))
    exchange.close()
    await assert.rejects(body)
  })

  it('ends an aborted request, before and after the application was called', async () => {
    const early = begun()
    early.exchange.abort()
    assert.deepEqual(early.asked, ['end 0'])
    let aborted = false
    const late = inStdin(async (req) => {
      req.signal.addEventListener('abort', () => {
        aborted = true
      })
      await text(req.stdin)
    })
    late.exchange.abort()
    await new Promise(setImmediate)
    assert.equal(aborted, true)
    assert.deepEqual(
      late.asked.filter((what) => what !== 'let go'),
      ['end 0'],
    )
  })

  for (const [how, listener] of [
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ] as const satisfies readonly (readonly [string, ResponderListener])[]) {
    it(`ends the request as failed when the application ${how}`, async () => {
      const { asked } = inStdin(listener)
      await new Promise(setImmediate)
      assert.match(asked[0] ?? '', /^7 Error: no\n/)
      assert.match(asked[1] ?? '', /^6 Status: 500/)
      assert.ok(asked.includes('end 1'))
      assert.ok(asked.includes('failed Error: no'))
    })
  }

  it('reports what the application does wrong to its response, and lives', async () => {
    const { asked } = inStdin((_req, res) => {
      res.end()
      res.write('after the end')
    })
    await new Promise(setImmediate)
    assert.equal(asked.filter((what) => what.startsWith('end ')).length, 1)
    assert.ok(asked.some((what) => /^failed .*write after end/.test(what)))
  })
})
