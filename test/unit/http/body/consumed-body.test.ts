import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import express from 'express'
import express4 from 'express4'
import { FastCgiError } from '../../../../lib/errors.ts'
import { receiveBody } from '../../../../lib/http/body/request-body.ts'
import { STAYING } from '../../../support/awaited-client.ts'
import { ask } from '../../../support/http-client.ts'
import { listen } from '../../../support/listen.ts'

type Middleware = (
  req: IncomingMessage & { body?: unknown; rawBody?: unknown },
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

interface Received {
  readonly code?: string
  readonly detail?: string
  readonly length?: number
  readonly bytes?: string
  readonly contentType?: string | undefined
  readonly rewritten?: boolean
}

const FORM = 'application/x-www-form-urlencoded'

/** Express 5 and 4, as far as this test needs them. */
const hosts = [
  { name: 'Express 5', express },
  { name: 'Express 4', express: express4 as unknown as typeof express },
]

/** Sends a request through the middleware to where its body is received. */
async function receive(
  host: typeof express,
  middleware: readonly unknown[],
  question: {
    readonly type?: string
    readonly body: string | Buffer | readonly Buffer[]
    readonly headers?: Record<string, string>
  },
): Promise<Received> {
  let received: Received | null = null
  const app = host()
  for (const each of middleware) app.use(each as Middleware)
  app.use(async (req: IncomingMessage, res: ServerResponse) => {
    received = await receiveHere(req, res)
    res.end()
  })
  await using listening = await listen(createServer(app as RequestListener))
  const headers = { ...(question.type === undefined ? {} : { 'Content-Type': question.type }), ...question.headers }
  const answer = await ask(`http://127.0.0.1:${listening.port}/`, { method: 'POST', headers, body: question.body })
  assert.ok(received !== null, answer.text)
  return received
}

async function receiveHere(req: IncomingMessage, res: ServerResponse): Promise<Received> {
  try {
    const rules = { requestBuffering: 'auto', bodyLimit: 1024 ** 2, clientTimeout: 0 } as const
    const body = await receiveBody(req, res, rules, STAYING)
    assert.ok(body !== null && body.content !== null)
    const { length, content, contentType, rewritten } = body
    assert.equal(content.length, length)
    body.close()
    return { length, bytes: content.toString('latin1'), contentType, rewritten }
  } catch (error) {
    assert.ok(error instanceof FastCgiError, String(error))
    return { code: error.code, detail: error.detail }
  }
}

/** Reads the body away, as a parser of another kind does. */
const consume: Middleware = (req, _res, next) => {
  req.on('data', () => undefined)
  req.on('end', () => next())
}

for (const host of hosts) {
  describe(`receiveBody behind ${host.name}`, () => {
    const run = receive.bind(null, host.express)
    const { json, urlencoded, raw, text } = host.express

    it('writes parsed JSON again', async () => {
      const cases = ['{"a":[1,{"b":null}],"é":"ü"}', '[1,2]', '{}', '[]', ' { "a" : 1 } ']
      for (const body of cases) {
        const received = await run([json()], { type: 'application/json', body })
        assert.deepEqual(JSON.parse(Buffer.from(received.bytes ?? '', 'latin1').toString()), JSON.parse(body))
        assert.deepEqual([received.contentType, received.rewritten], ['application/json', false])
      }
    })

    it('writes JSON that is no object again', async () => {
      for (const body of ['"text"', '"{}"', '12', 'true', 'null', '""']) {
        const received = await run([json({ strict: false })], { type: 'application/vnd.api+json', body })
        // body-parser 1 leaves no type but its default.
        if (host.name === 'Express 5')
          assert.equal((await run([json({ strict: false })], { type: 'application/json', body })).bytes, body)
        assert.ok(received.code !== 'ERR_FCGI_BODY_CONSUMED')
      }
    })

    it('writes JSON in another charset and coding again as plain UTF-8', async () => {
      const utf16 = Buffer.from('{"a":"é"}', 'utf16le')
      const received = await run([json()], { type: 'application/json; charset=utf-16le', body: utf16 })
      assert.equal(received.bytes, Buffer.from('{"a":"é"}').toString('latin1'))
      assert.equal(received.contentType, 'application/json; charset=utf-8')
      const zipped = await run([json()], {
        type: 'application/json',
        body: gzipSync('{"a":1}'),
        headers: { 'Content-Encoding': 'gzip' },
      })
      assert.deepEqual([zipped.bytes, zipped.rewritten], ['{"a":1}', true])
    })

    it('writes forms again so that PHP reads the same', async () => {
      for (const [extended, body, pairs] of [
        [true, 'a=1&b=x+y%26', ['a=1', 'b=x y&']],
        [true, 'a[b][c]=1&a[b][d]=2', ['a[b][c]=1', 'a[b][d]=2']],
        [true, 'a[]=1&a[]=2', ['a[0]=1', 'a[1]=2']],
        [true, 'a[0][x]=1&a[1][x]=2', ['a[0][x]=1', 'a[1][x]=2']],
        [true, 'n=%C3%A9&e=', ['n=é', 'e=']],
        [false, 'a[]=1&a[]=2&b[c]=3', ['a[]=1', 'a[]=2', 'b[c]=3']],
      ] as const) {
        const received = await run([urlencoded({ extended })], { type: `${FORM}; charset=utf-8`, body })
        const written = [...new URLSearchParams(received.bytes)].map(([name, value]) => `${name}=${value}`)
        assert.deepEqual(written, pairs)
        assert.equal(received.contentType, `${FORM}; charset=utf-8`)
      }
    })

    it('passes bytes and text as they are', async () => {
      const bytes = Buffer.from([0, 255, 13, 10, 128])
      const received = await run([raw({ type: '*/*' })], { type: 'image/x', body: bytes })
      assert.deepEqual(received, {
        length: 5,
        bytes: bytes.toString('latin1'),
        contentType: 'image/x',
        rewritten: false,
      })
      const plain = await run([text()], { type: 'text/plain; charset=iso-8859-1', body: Buffer.from('é', 'latin1') })
      assert.deepEqual(
        [plain.bytes, plain.contentType],
        [Buffer.from('é').toString('latin1'), 'text/plain; charset=utf-8'],
      )
      const jsonText = await run([text({ type: '*/*' })], { type: 'application/json', body: ' {"a" : 1}' })
      assert.equal(jsonText.bytes, ' {"a" : 1}')
      const formText = await run([text({ type: '*/*' })], { type: FORM, body: 'a=1&a=2' })
      assert.equal(formText.bytes, 'a=1&a=2')
    })

    it('passes rawBody before anything else', async () => {
      const keep = json({
        verify(req, _res, buffer) {
          ;(req as { rawBody?: Buffer }).rawBody = buffer
        },
      })
      const received = await run([keep], { type: 'application/json', body: ' {"a" : 1}' })
      assert.equal(received.bytes, ' {"a" : 1}')
    })

    it('knows whether kept bytes are still encoded', async () => {
      const packed = gzipSync('{"a":1}')
      const headers = { 'Content-Encoding': 'gzip' }
      const decoded = await run([raw({ type: '*/*' })], { type: 'x/y', body: packed, headers })
      assert.deepEqual([decoded.bytes, decoded.rewritten], ['{"a":1}', true])
      const keep: Middleware = (req, _res, next) => {
        const chunks: Buffer[] = []
        req.on('data', (chunk) => chunks.push(chunk))
        req.on('end', () => {
          req.rawBody = Buffer.concat(chunks)
          next()
        })
      }
      const kept = await run([keep], { type: 'x/y', body: packed, headers })
      assert.deepEqual([kept.bytes, kept.rewritten], [packed.toString('latin1'), false])
    })

    it('reads the body itself where the parsers have left it alone', async () => {
      const parsers = [json(), urlencoded({ extended: true }), raw(), text()]
      const received = await run(parsers, { type: 'multipart/form-data; boundary=x', body: '--x--' })
      assert.deepEqual([received.bytes, received.contentType], ['--x--', 'multipart/form-data; boundary=x'])
      assert.equal((await run(parsers, { body: [Buffer.from('hel'), Buffer.from('lo')] })).bytes, 'hello')
      assert.equal((await run(parsers, { type: 'application/json', body: '' })).length ?? 0, 0)
    })

    it('refuses what cannot be written again, and says what mends it', async () => {
      const asMulter: Middleware = (req, res, next) => {
        req.body = { field: '1' }
        consume(req, res, next)
      }
      const partly: Middleware = (req, _res, next) => {
        req.once('data', () => {
          req.pause()
          next()
        })
      }
      const hashing: Middleware = (req, _res, next) => {
        const hash = createHash('sha1')
        req.pipe(hash).on('finish', () => next())
      }
      const decoding: Middleware = (req, _res, next) => {
        req.setEncoding('utf8')
        next()
      }
      const lurking: Middleware = (req, _res, next) => {
        req.on('readable', () => undefined)
        next()
      }
      for (const [middleware, type, body] of [
        [[asMulter], 'multipart/form-data; boundary=x', '--x--'],
        [[consume], 'application/json', '{"a":1}'],
        [[consume], FORM, 'a=1'],
        [[consume], 'text/plain', 'abc'],
        [[partly], 'text/plain', 'abc'],
        [[hashing], FORM, 'a=1'],
        [[decoding], 'text/plain', '\xff'],
        [[lurking], 'text/plain', 'abc'],
        // The urlencoded parser of body-parser 1 leaves `{}` where it has read nothing.
        [[urlencoded({ extended: true }), consume], 'application/json', '{"a":1}'],
        [[json(), consume], FORM, 'a=1'],
      ] as const) {
        const received = await run(middleware, { type, body: Buffer.from(body, 'latin1') })
        assert.equal(received.code, 'ERR_FCGI_BODY_CONSUMED', `${type}: ${JSON.stringify(received)}`)
        assert.match(received.detail ?? '', /before the middleware that reads bodies/)
      }
      for (const type of ['application/json', FORM]) {
        const parsers = [json(), urlencoded({ extended: true })].slice(type === FORM ? 0 : 1, type === FORM ? 1 : 2)
        const received = await run([...parsers, consume], { type, body: [Buffer.from('a'), Buffer.from('=1')] })
        assert.equal(received.code, 'ERR_FCGI_BODY_CONSUMED', `${type}, chunked`)
      }
    })

    it('refuses what middleware has made unwritable', async () => {
      const cycle: Middleware = (req, _res, next) => {
        const body: Record<string, unknown> = { a: 1 }
        body.self = body
        req.body = body
        next()
      }
      const deep: Middleware = (req, _res, next) => {
        let body: unknown = 'x'
        for (let depth = 0; depth < 70; depth += 1) body = { a: body }
        req.body = body
        next()
      }
      for (const [parser, type, body, change] of [
        [json(), 'application/json', '{"a":1}', cycle],
        [urlencoded({ extended: true }), FORM, 'a=1', cycle],
        [urlencoded({ extended: true }), FORM, 'a=1', deep],
      ] as const) {
        const received = await run([parser, change], { type, body })
        assert.equal(received.code, 'ERR_FCGI_BODY_CONSUMED')
      }
    })
  })
}
