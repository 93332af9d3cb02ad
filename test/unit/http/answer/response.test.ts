import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { FastCgiError } from '../../../../lib/errors.ts'
import { type ResponseRules, ResponseWriter } from '../../../../lib/http/answer/response.ts'
import { eventually } from '../../../support/eventually.ts'
import { listen } from '../../../support/listen.ts'
import { splitsOf } from '../../../support/splits.ts'

const RULES: ResponseRules = {
  interceptErrors: false,
  localRedirects: false,
  hideHeaders: new Set(),
  passHeaders: new Set(),
  responseBuffer: 256 * 1024,
  clientTimeout: 0,
}

/** What a backend does: sends STDOUT, ends a read of its socket (`flush`), ends the request (`end`). */
type Step = { readonly stdout: string | Buffer } | 'flush' | 'end'

interface Scene {
  readonly method?: string
  readonly version?: string
  readonly rules?: Partial<ResponseRules>
  /** What middleware before us does. */
  before?(res: ServerResponse): void
}

/** What came of an answer. */
interface Outcome {
  /** All bytes that the client got, as latin1. */
  readonly wire: string
  readonly head: readonly string[]
  readonly body: string
  /** Writes to the client's socket. */
  readonly writes: number
  readonly code: string | null
  readonly detail: string
  readonly status: number
  readonly warnings: readonly string[]
  readonly begun: boolean
  readonly reusable: boolean
  readonly localRedirect: string | null
}

function out(text: string): Step {
  return { stdout: Buffer.from(text, 'latin1') }
}

function play(writer: ResponseWriter, steps: readonly Step[]): FastCgiError | null {
  let failure: FastCgiError | null = null
  for (const step of steps) {
    try {
      if (step === 'flush') writer.flush()
      else if (step === 'end') writer.end()
      else writer.write(Buffer.from(step.stdout))
    } catch (error) {
      assert.ok(error instanceof FastCgiError, String(error))
      failure ??= error
    }
  }
  return failure
}

function countWrites(socket: Socket): () => number {
  let writes = 0
  for (const method of ['_write', '_writev'] as const) {
    const original = Reflect.get(socket, method) as (...args: unknown[]) => unknown
    Reflect.set(socket, method, (...args: unknown[]) => {
      writes += 1
      return original.apply(socket, args)
    })
  }
  return () => writes
}

/** Lets a backend answer a request of a raw client. What failed before anything was sent becomes the answer `FAILED`. */
async function answer(steps: readonly Step[], scene: Scene = {}): Promise<Outcome> {
  const { method = 'GET', version = '1.1', rules, before } = scene
  const warnings: string[] = []
  let result: Omit<Outcome, 'wire' | 'head' | 'body' | 'writes'> | null = null
  let writes = (): number => 0
  const server = createServer((_req, res) => {
    before?.(res)
    const source = { pause: () => undefined, resume: () => undefined, stalled: () => undefined }
    const warn = (message: string): void => void warnings.push(message)
    const writer = new ResponseWriter({ method, res, rules: { ...RULES, ...rules }, source, warn })
    const error = play(writer, steps)
    const { begun, reusable, localRedirect } = writer
    const { code = null, detail = '', status = 0 } = error ?? {}
    result = { code, detail, status, warnings, begun, reusable, localRedirect }
    if (res.writableEnded) return
    if (begun) res.destroy()
    else res.end('FAILED')
  })
  server.on('connection', (socket) => {
    writes = countWrites(socket)
  })
  await using listening = await listen(server)
  const wire = await talk(listening.port, `${method} / HTTP/${version}\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  assert.ok(result !== null)
  const end = wire.indexOf('\r\n\r\n')
  const head = wire.slice(0, end).split('\r\n')
  return { ...(result as Outcome), wire, head, body: wire.slice(end + 4), writes: writes() }
}

function talk(port: number, request: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })
}

/** The values of a header, in order. */
function values({ head }: Outcome, name: string): string[] {
  const start = `${name.toLowerCase()}: `
  return head.filter((line) => line.toLowerCase().startsWith(start)).map((line) => line.slice(start.length))
}

describe('ResponseWriter, an answer that comes whole', () => {
  it('leaves in one write, with its length', async () => {
    const result = await answer([out('Content-Type: text/plain\r\n\r\nhello'), 'end'])
    assert.deepEqual(values(result, 'Content-Length'), ['5'])
    assert.equal(result.body, 'hello')
    assert.equal(result.writes, 1)
    assert.deepEqual([result.begun, result.reusable, result.code], [true, true, null])
  })

  it('leaves in one write when it came in many pieces', async () => {
    for (const size of [1, 20_000]) {
      const pieces = Array.from({ length: 8 }, (_, index) => 'x'.repeat(size) + index)
      const result = await answer([out('X-A: 1\n\n'), ...pieces.map(out), 'end'])
      assert.equal(result.body, pieces.join(''))
      assert.deepEqual(values(result, 'Content-Length'), [String(pieces.join('').length)])
      assert.equal(result.writes, 1)
    }
  })

  it('is the same wherever it was cut', async () => {
    const content = Buffer.from('Status: 201 Made\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nbody')
    for (const { name, pieces } of splitsOf(content)) {
      const result = await answer([...pieces.map((stdout) => ({ stdout })), 'end'])
      assert.equal(result.head[0], 'HTTP/1.1 201 Made', name)
      assert.deepEqual(values(result, 'Set-Cookie'), ['a', 'b'])
      assert.equal(result.body, 'body')
    }
  })

  it('has the reason of the script, else the usual one', async () => {
    const first = async (text: string): Promise<string | undefined> => (await answer([out(text), 'end'])).head[0]
    assert.equal(await first('Status: 404\n\n'), 'HTTP/1.1 404 Not Found')
    assert.equal(await first('Status: 404 Gone \xe9\n\n'), 'HTTP/1.1 404 Gone \xe9')
    assert.equal(await first('HTTP/1.1 418 Tea\n\n'), 'HTTP/1.1 418 Tea')
    assert.equal(await first('Location: /a\n\n'), 'HTTP/1.1 302 Found')
    assert.match((await first('Status: 599\n\n')) ?? '', /^HTTP\/1\.1 599 ?$/)
  })

  it('is drained after early hints, which the client gets first', async () => {
    const hints = 'Status: 103\nLink: </a.css>; rel=preload; as=style, </b.js>; rel=preload\n\n'
    const result = await answer([out(`${hints}Content-Type: text/plain\n\nhello`), 'end'])
    assert.equal(result.head[0], 'HTTP/1.1 103 Early Hints')
    assert.match(result.head[1] ?? '', /^Link: <\/a\.css>; rel=preload; as=style, <\/b\.js>; rel=preload$/)
    assert.match(result.body, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(result.body, /\r\n\r\nhello$/)
    assert.deepEqual(result.warnings, [])
  })

  it('comes without early hints that Node refuses, that have no link, or that HTTP/1.0 does not know', async () => {
    for (const [hints, version, warnings] of [
      ['Link: not a link\n', '1.1', 1],
      ['', '1.1', 1],
      ['Link: </a>; rel=preload\n', '1.0', 0],
    ] as const) {
      const result = await answer([out(`Status: 103\n${hints}\nX: 1\n\nhello`), 'end'], { version })
      assert.equal(result.head[0], 'HTTP/1.1 200 OK')
      assert.equal(result.body, 'hello')
      assert.equal(result.warnings.length, warnings)
    }
  })
})

describe('ResponseWriter, an answer that streams', () => {
  it('sends what came at each flush, in chunks', async () => {
    const result = await answer([out('X-A: 1\n\n'), 'flush', out('one'), out('two'), 'flush', out('three'), 'end'])
    assert.deepEqual(values(result, 'Transfer-Encoding'), ['chunked'])
    assert.equal(result.body, '6\r\nonetwo\r\n5\r\nthree\r\n0\r\n\r\n')
    assert.equal(result.reusable, true)
  })

  it('sends the head as soon as it is there, its bytes as they are', async () => {
    let sent = ''
    const server = createServer((_req, res) => {
      const source = { pause: () => undefined, resume: () => undefined, stalled: () => undefined }
      const writer = new ResponseWriter({ method: 'GET', res, rules: RULES, source, warn: () => undefined })
      play(writer, [out('X-A: \xc3\xa9\xff\n\n'), 'flush'])
    })
    await using listening = await listen(server)
    const socket = connect(listening.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    socket.on('data', (chunk) => {
      sent += chunk.toString('latin1')
    })
    await eventually('the head comes', () => sent.endsWith('\r\n\r\n'))
    assert.match(sent, /^X-A: \xc3\xa9\xff\r$/m)
    socket.destroy()
  })

  it('sends nothing before the head is whole', async () => {
    const result = await answer([out('X-A: 1\n'), 'flush', out('\nhello'), 'end'])
    assert.deepEqual(values(result, 'Content-Length'), ['5'])
  })

  it('frames with the length that the script announced', async () => {
    const result = await answer([out('Content-Length: 10\n\nhello'), 'flush', out('world'), 'flush', 'end'])
    assert.deepEqual(values(result, 'Content-Length'), ['10'])
    assert.deepEqual(values(result, 'Transfer-Encoding'), [])
    assert.equal(result.body, 'helloworld')
  })

  it('writes large slices without joining them', async () => {
    const slices = Array.from({ length: 4 }, (_, index) => String(index).repeat(30_000))
    const result = await answer([out('Content-Length: 120000\n\n'), 'flush', ...slices.map(out), 'flush', 'end'])
    assert.equal(result.body, slices.join(''))
  })

  it('never corks the response: since Node 22 the last chunk would come before what is corked', async () => {
    const slices = Array.from({ length: 4 }, (_, index) => String(index).repeat(30_000))
    let corked = 0
    const before = (res: ServerResponse): void => {
      res.cork = () => {
        corked += 1
      }
    }
    const result = await answer([out('X-A: 1\n\n'), ...slices.map(out), 'flush', ...slices.map(out), 'end'], { before })
    const chunks = [...slices, ...slices].map((slice) => `7530\r\n${slice}\r\n`)
    assert.equal(result.body, `${chunks.join('')}0\r\n\r\n`)
    assert.equal(corked, 0)
  })
})

describe('ResponseWriter, Content-Length', () => {
  it('cuts a body that is longer, warns, and gives the connection up', async () => {
    for (const steps of [
      [out('Content-Length: 5\n\nhello, world'), 'end'],
      [out('Content-Length: 5\n\nhel'), 'flush', out('lo, '), 'flush', out('world'), 'flush', 'end'],
      [out('Content-Length: 5\n\nhello'), 'flush', out('!'), 'end'],
    ] as const) {
      const result = await answer(steps)
      assert.equal(result.body, 'hello')
      assert.deepEqual(values(result, 'Content-Length'), ['5'])
      assert.equal(result.warnings.length, 1)
      assert.deepEqual([result.reusable, result.code], [false, null])
    }
  })

  it('refuses a body that is shorter: before anything was sent nothing is', async () => {
    const result = await answer([out('Content-Length: 6\nX-A: 1\n\nhello'), 'end'])
    assert.deepEqual([result.code, result.begun, result.reusable], ['ERR_FCGI_TRUNCATED', false, false])
    assert.equal(result.body, 'FAILED')
    assert.deepEqual(values(result, 'X-A'), [])
  })

  it('refuses a body that is shorter: once begun it does not end', async () => {
    const result = await answer([out('Content-Length: 6\n\nhello'), 'flush', 'end'])
    assert.deepEqual([result.code, result.begun, result.reusable], ['ERR_FCGI_TRUNCATED', true, false])
  })

  it('refuses what is no length', async () => {
    for (const length of ['x', '-1', '5\nContent-Length: 6']) {
      const result = await answer([out(`Content-Length: ${length}\n\nhello`), 'flush', 'end'])
      assert.deepEqual([result.code, result.begun, result.reusable], ['ERR_FCGI_BAD_RESPONSE', false, false])
    }
  })
})

describe('ResponseWriter, answers without a body', () => {
  it('drops the body of HEAD, 204, 205 and 304, and may keep the connection', async () => {
    for (const [method, status, length] of [
      ['HEAD', 200, []],
      ['GET', 204, []],
      ['GET', 205, ['0']],
      ['GET', 304, []],
    ] as const) {
      const result = await answer([out(`Status: ${status}\n\nbody`), 'flush', out('more'), 'end'], { method })
      assert.match(result.head[0] ?? '', new RegExp(`^HTTP/1.1 ${status} `))
      assert.equal(result.body, '')
      assert.deepEqual(values(result, 'Content-Length'), length, `${method} ${status}`)
      assert.deepEqual(values(result, 'Transfer-Encoding'), [])
      assert.deepEqual([result.reusable, result.code, result.warnings.length], [true, null, 0])
    }
  })

  it('keeps the Content-Length for HEAD and 304 alone', async () => {
    for (const [method, status, length] of [
      ['HEAD', 200, ['99']],
      ['GET', 204, []],
      ['GET', 205, ['0']],
      ['GET', 304, ['99']],
    ] as const) {
      const result = await answer([out(`Status: ${status}\nContent-Length: 99\n\nb`), 'end'], { method })
      assert.deepEqual(values(result, 'Content-Length'), length, `${method} ${status}`)
      assert.deepEqual([result.body, result.reusable, result.code], ['', true, null])
    }
  })
})

describe('ResponseWriter, headers', () => {
  it('passes several of one name in order, as the script spelled them', async () => {
    const lines = [
      'Set-Cookie: a=1',
      'WWW-Authenticate: Basic',
      'Link: </a>',
      'X-odd: 1',
      'Set-Cookie: b=2',
      'WWW-Authenticate: Digest',
    ]
    const result = await answer([out(`${lines.join('\n')}\nLink: </b>\nVary: A\nVary: B\n\n`), 'end'])
    assert.deepEqual(values(result, 'Set-Cookie'), ['a=1', 'b=2'])
    assert.deepEqual(values(result, 'WWW-Authenticate'), ['Basic', 'Digest'])
    assert.deepEqual(values(result, 'Link'), ['</a>', '</b>'])
    assert.deepEqual(values(result, 'Vary'), ['A', 'B'])
    assert.ok(result.head.includes('X-odd: 1'))
  })

  it('gives bytes to middleware that has an end of its own, which may take a text for one in UTF-8', async () => {
    const bytes = Buffer.from('à', 'latin1')
    const ended: unknown[] = []
    const result = await answer([out('A: b\n\nà'), 'end'], {
      before: (res) => {
        const end = res.end.bind(res)
        res.end = ((content: unknown) => {
          ended.push(content)
          return end(content)
        }) as typeof res.end
      },
    })
    assert.deepEqual(ended, [bytes])
    assert.deepEqual(values(result, 'A'), ['b'])
  })

  it('sets each name once, so that middleware which changes what is set does so once', async () => {
    const result = await answer([out('Set-Cookie: b\nX-A: 1\nset-cookie: c\nX-A: 2\n\n'), 'end'], {
      before: (res) => {
        const setHeader = res.setHeader.bind(res)
        res.setHeader = (name, value) =>
          setHeader(
            name,
            [value].flat().map((each) => `${each};`),
          )
        res.setHeader('Set-Cookie', 'a')
      },
    })
    assert.deepEqual(values(result, 'Set-Cookie'), ['a;;', 'b;', 'c;'])
    assert.deepEqual(values(result, 'X-A'), ['1;', '2;'])
  })

  it('keeps what middleware has set, but for the names that the script sends', async () => {
    const result = await answer([out('X-Frame-Options: DENY\nSet-Cookie: b\nVary: Cookie\n\n'), 'end'], {
      before(res) {
        res.setHeader('X-Frame-Options', 'SAMEORIGIN')
        res.setHeader('X-Helmet', 'on')
        res.setHeader('Set-Cookie', 'a')
        res.setHeader('Vary', 'Origin')
      },
    })
    assert.deepEqual(values(result, 'X-Frame-Options'), ['DENY'])
    assert.deepEqual(values(result, 'X-Helmet'), ['on'])
    assert.deepEqual(values(result, 'Set-Cookie'), ['a', 'b'])
    assert.deepEqual(values(result, 'Vary'), ['Origin', 'Cookie'])
  })

  it('frames the body itself, whatever middleware has said', async () => {
    const before = (res: ServerResponse): void => {
      res.setHeader('Content-Length', 99)
      res.setHeader('Trailer', 'X-T')
    }
    const whole = await answer([out('X: 1\n\nhello'), 'end'], { before })
    assert.deepEqual(values(whole, 'Content-Length'), ['5'])
    const streamed = await answer([out('X: 1\n\nhello'), 'flush', 'end'], { before })
    assert.deepEqual(values(streamed, 'Content-Length'), [])
  })

  it("sends PHP's X-Powered-By and never Express's in its place", async () => {
    const before = (res: ServerResponse): void => void res.setHeader('X-Powered-By', 'Express')
    assert.deepEqual(values(await answer([out('X-Powered-By: PHP/8.2\n\n'), 'end'], { before }), 'X-Powered-By'), [
      'PHP/8.2',
    ])
    assert.deepEqual(values(await answer([out('X: 1\n\n'), 'end'], { before }), 'X-Powered-By'), [])
    const own = (res: ServerResponse): void => void res.setHeader('X-Powered-By', 'Tea')
    assert.deepEqual(values(await answer([out('X: 1\n\n'), 'end'], { before: own }), 'X-Powered-By'), ['Tea'])
  })

  it('has the Date of the script, else that of Node', async () => {
    const date = 'Thu, 01 Jan 1970 00:00:00 GMT'
    assert.deepEqual(values(await answer([out(`Date: ${date}\n\n`), 'end']), 'Date'), [date])
    assert.equal(values(await answer([out('X: 1\n\n'), 'end']), 'Date').length, 1)
  })

  it('passes 8-bit bytes as they are, in Content-Disposition too', async () => {
    const name = 'attachment; filename="\xc3\xa9\xff.txt"'
    for (const steps of [['end'], ['flush', 'end']] as const) {
      const text = `Content-Length: 2\nX-A: \xff\xfe\nContent-Disposition: ${name}\n\nok`
      const result = await answer([out(text), ...steps])
      assert.deepEqual(values(result, 'Content-Disposition'), [name])
      assert.deepEqual(values(result, 'X-A'), ['\xff\xfe'])
      assert.deepEqual(values(result, 'Content-Length'), ['2'])
    }
  })

  it('takes a name that means something to JavaScript', async () => {
    const result = await answer([out('__proto__: 1\nconstructor: 2\ntoString: 3\n\n'), 'end'])
    assert.deepEqual(
      [values(result, '__proto__'), values(result, 'constructor'), values(result, 'tostring')],
      [['1'], ['2'], ['3']],
    )
  })

  it('drops a Transfer-Encoding that is untrue', async () => {
    for (const body of ['<html>', '5', 'abc\r', 'ab\nc', '']) {
      const result = await answer([out(`Transfer-Encoding: chunked\n\n${body}`), 'end'])
      assert.deepEqual([result.body, result.code, values(result, 'Transfer-Encoding').length], [body, null, 0])
    }
    const slow = await answer([
      out('Transfer-Encoding: chunked\n\n'),
      'flush',
      out('a'),
      'flush',
      out('bc\r'),
      'flush',
      out('x'),
      'end',
    ])
    assert.equal(slow.body, 'abc\rx')
  })

  it('refuses a body in the chunked coding, wherever it is cut', async () => {
    const content = Buffer.from('Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
    for (const { name, pieces } of splitsOf(content)) {
      const result = await answer([...pieces.flatMap((stdout): Step[] => [{ stdout }, 'flush']), 'end'])
      assert.deepEqual([result.code, result.begun, result.reusable], ['ERR_FCGI_BAD_RESPONSE', false, false], name)
    }
  })
})

describe('ResponseWriter, what is no answer', () => {
  it('refuses it without a throw of Node and without a byte to the client', async () => {
    for (const text of [
      '',
      'X: 1',
      'hello\n\n',
      '\n\nhello',
      'X: a\0b\n\n',
      'X y: 1\n\n',
      'Status: 42\n\n',
      'Status: 101\n\n',
    ]) {
      const result = await answer([out(text), 'flush', out(''), 'flush', 'end'])
      assert.deepEqual(
        [result.code, result.begun, result.reusable],
        ['ERR_FCGI_BAD_RESPONSE', false, false],
        JSON.stringify(text),
      )
      assert.equal(result.body, 'FAILED')
    }
  })

  it('refuses an answer of which no byte came', async () => {
    const result = await answer(['end'])
    assert.equal(result.code, 'ERR_FCGI_BAD_RESPONSE')
    assert.match(result.detail, /without an answer/)
  })

  it('tells what it has mended', async () => {
    const result = await answer([out('Content-Type: a/b\nContent-Type: c/d\n\n'), 'end'])
    assert.deepEqual(values(result, 'Content-Type'), ['a/b'])
    assert.equal(result.warnings.length, 1)
  })
})

describe('ResponseWriter, answers that are not passed on', () => {
  it('throws an error status under interceptErrors, drains the rest, and may keep the connection', async () => {
    const rules = { interceptErrors: true }
    const result = await answer(
      [out('Status: 404\nContent-Length: 9\n\nnot '), 'flush', out('found'), 'flush', 'end'],
      { rules },
    )
    assert.deepEqual(
      [result.code, result.status, result.begun, result.reusable],
      ['ERR_FCGI_INTERCEPTED', 404, false, true],
    )
    assert.equal(result.body, 'FAILED')
    assert.equal((await answer([out('Status: 399\n\nx'), 'end'], { rules })).code, null)
    assert.equal((await answer([out('Status: 404\n\nx'), 'end'])).code, null)
  })

  it('gives the connection up where an intercepted answer is too short', async () => {
    const result = await answer([out('Status: 500\nContent-Length: 9\n\nx'), 'end'], {
      rules: { interceptErrors: true },
    })
    assert.deepEqual([result.code, result.reusable], ['ERR_FCGI_INTERCEPTED', false])
  })

  it('hands a local redirect to the handler, when they are on', async () => {
    const on = await answer([out('Location: /a?b\n\n'), 'flush', 'end'], { rules: { localRedirects: true } })
    assert.deepEqual([on.localRedirect, on.begun, on.reusable, on.code], ['/a?b', false, true, null])
    const off = await answer([out('Location: /a?b\n\n'), 'end'])
    assert.deepEqual([off.localRedirect, off.head[0]], [null, 'HTTP/1.1 302 Found'])
    assert.deepEqual(values(off, 'Location'), ['/a?b'])
  })

  it('writes nothing where another middleware has answered', async () => {
    for (const steps of [['end'], ['flush', out('more'), 'flush', 'end']] as const) {
      const result = await answer([out('X: 1\n\nhello'), ...steps], { before: (res) => res.end('mine') })
      assert.match(result.wire, /mine/)
      assert.doesNotMatch(result.wire, /hello/)
      assert.deepEqual([result.code, result.begun], [null, false])
    }
  })

  it('writes nothing after it was told to discard', async () => {
    const server = createServer((_req, res) => {
      const source = { pause: () => undefined, resume: () => undefined, stalled: () => undefined }
      const writer = new ResponseWriter({ method: 'GET', res, rules: RULES, source, warn: () => undefined })
      play(writer, [out('X: 1\n\nhello')])
      writer.discard()
      assert.equal(play(writer, ['flush', out('more'), 'flush', 'end']), null)
      res.end(`begun ${writer.begun}`)
    })
    await using listening = await listen(server)
    assert.match(await talk(listening.port, 'GET / HTTP/1.0\r\n\r\n'), /begun false$/)
  })
})
