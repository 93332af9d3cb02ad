import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import express from 'express'
import express4 from 'express4'
import { shareShapes } from '../../lib/http/shared-shape.ts'
import { fastcgi } from '../../lib/index.ts'
import { ask } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'

setFlagsFromString('--allow-natives-syntax')
const haveSameShape = new Function('one', 'other', 'return %HaveSameMap(one, other)') as (
  a: object,
  b: object,
) => boolean
const isDictionary = new Function('object', 'return !%HasFastProperties(object)') as (object: object) => boolean

interface Pair {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

type Handler = (req: IncomingMessage, res: ServerResponse, next: () => void) => void
type Host = (handler: Handler) => RequestListener

const EXPRESSES: Readonly<Record<string, Host>> = {
  'Express 4': (handler) => express4().use(handler as express4.RequestHandler),
  'Express 5': (handler) => express().use(handler as express.RequestHandler),
}

const bare: Host = (handler) => (req, res) => handler(req, res, assert.fail)

/** Has two requests at once pass `handler`; what `look` makes of both, before they are answered. */
async function passTwo<Seen>(host: Host, handler: Handler, look: (one: Pair, other: Pair) => Seen): Promise<Seen> {
  const passed: Pair[] = []
  let seen: Seen | undefined
  const handle: Handler = (req, res) =>
    handler(req, res, () => {
      const [one, other] = [...passed, { req, res }]
      passed.push({ req, res })
      if (one === undefined || other === undefined) return
      seen = look(one, other)
      for (const pair of passed) pair.res.end()
    })
  await using listening = await listen(createServer(host(handle)))
  await Promise.all([1, 2].map(() => ask(`http://127.0.0.1:${listening.port}/`)))
  return seen as Seen
}

/** What both share of their shape. */
function sameShapes(one: Pair, other: Pair): Readonly<Record<keyof Pair, boolean>> {
  return { req: haveSameShape(one.req, other.req), res: haveSameShape(one.res, other.res) }
}

describe('What the gateway does to req and res', () => {
  const copies: object[] = []
  const share: Handler = (req, res, next) => {
    copies.push({ ...req }, { ...res })
    shareShapes(req, res)
    copies.push({ ...req }, { ...res })
    next()
  }

  for (const [name, host] of Object.entries({ ...EXPRESSES, 'node:http': bare })) {
    it(`cannot be seen under ${name}`, async () => {
      copies.length = 0
      await passTwo(host, share, () => null)
      const [req, res, reqAfter, resAfter] = copies
      assert.deepEqual({ req: reqAfter, res: resAfter }, { req, res })
      assert.equal(copies.length, 8)
    })
  }

  for (const [name, host] of Object.entries(EXPRESSES)) {
    it(`gives those of ${name} one shape, of which V8 would have one for each request`, async () => {
      const gateway = fastcgi({ root: import.meta.dirname, server: '127.0.0.1:1', logger: false })
      assert.deepEqual(await passTwo(host, gateway, sameShapes), { req: true, res: true })
      await gateway.close()
    })
  }

  it('leaves those as they are whose prototypes nobody has changed', async () => {
    assert.ok(await passTwo(bare, share, ({ req, res }) => !isDictionary(req) && !isDictionary(res)))
  })
})
