import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FCGI_STDOUT } from '../../lib/protocol/constants.ts'
import { answer, end, type FakeScript, record, stderr, stdout } from '../support/responder.ts'
import { bodyOf, type FakedSite, fakedSite, fieldOf, splitHead, statusOf } from '../support/responder-site.ts'
import { pieces } from '../support/splits.ts'

const says =
  (text: string): FakeScript =>
  (request) =>
    request.answer(text)

/** One raw answer to GET /. */
async function got(script: FakeScript, options: Parameters<typeof fakedSite>[1] = {}): Promise<string> {
  await using site = await fakedSite(script, options)
  return await site.get()
}

/** What a client gets that has taken the head already: an end that cannot be taken for a whole answer. */
async function destroyed(script: FakeScript): Promise<string> {
  await using site = await fakedSite(script)
  const raw = await site.get()
  assert.equal(statusOf(raw), 200, raw)
  assert.equal(bodyOf(raw), null, `it ended cleanly: ${raw}`)
  return raw
}

describe('the head of an answer', () => {
  for (const [what, text] of [
    ['CRLF', 'A: b\r\nC: d\r\n\r\nbody'],
    ['LF', 'A: b\nC: d\n\nbody'],
    ['CRLF, then LF', 'A: b\r\nC: d\n\nbody'],
    ['LF, then CRLF', 'A: b\nC: d\r\n\r\nbody'],
    ['LF and CRLF before the body', 'A: b\r\nC: d\n\r\nbody'],
  ] as const) {
    it(`may end in ${what}, whole and split anywhere`, async () => {
      const bytes = stdout(text)
      const splits: Buffer[][] = [[bytes], pieces(bytes, 1)]
      for (let at = 1; at < bytes.length; at += 1) splits.push([bytes.subarray(0, at), bytes.subarray(at)])
      for (let at = 1; at < text.length; at += 1)
        splits.push([Buffer.concat([stdout(text.slice(0, at)), stdout(text.slice(at))])])
      let next: Buffer[] = []
      await using site = await fakedSite((request) => request.send(...next, end()))
      for (const split of splits) {
        next = split
        const raw = await site.get()
        assert.equal(statusOf(raw), 200)
        assert.deepEqual([fieldOf(raw, 'A'), fieldOf(raw, 'C')], [['b'], ['d']])
        assert.equal(bodyOf(raw), 'body')
      }
    })
  }

  it('may come with STDERR between its pieces', async () => {
    await using site = await fakedSite((request) =>
      request.send(
        stderr('one\n'),
        stdout('A: b\r'),
        stderr('two\n'),
        stdout('\n\r'),
        stderr('three\n'),
        stdout('\nbody'),
        end(),
      ),
    )
    const raw = await site.get()
    assert.equal(bodyOf(raw), 'body')
    assert.match(site.log.join('\n'), /one[\s\S]*two[\s\S]*three/)
  })

  it('may come with padding', async () => {
    for (const padding of [1, 8, 255]) {
      const raw = await got((request) => request.answer('A: b\r\n\r\nbody', { padding }))
      assert.equal(bodyOf(raw), 'body')
    }
  })

  for (const [text, line] of [
    ['Status: 404 Not Found\r\n\r\n', 'HTTP/1.1 404 Not Found'],
    ['Status: 404\r\n\r\n', 'HTTP/1.1 404 Not Found'],
    ['Status: 404 Gone fishing\r\n\r\n', 'HTTP/1.1 404 Gone fishing'],
    ['status:599\r\n\r\n', 'HTTP/1.1 599 '],
    ['HTTP/1.1 404 Nowhere\r\nA: b\r\n\r\n', 'HTTP/1.1 404 Nowhere'],
    ['HTTP/1.0 201 Made\r\n\r\n', 'HTTP/1.1 201 Made'],
    ['A: b\r\n\r\n', 'HTTP/1.1 200 OK'],
  ] as const) {
    it(`${JSON.stringify(text)} is ${line}`, async () => {
      const raw = await got(says(`${text}body`))
      assert.ok(raw.startsWith(line), raw)
      assert.deepEqual(fieldOf(raw, 'Status'), [])
      assert.equal(bodyOf(raw), 'body')
    })
  }

  for (const status of [
    'text',
    '20',
    '2000',
    '12345',
    '0',
    '-1',
    '100',
    '101',
    '102',
    '199',
    '600',
    '999',
    '',
    '200OK',
    '２００',
  ]) {
    it(`is refused with Status: ${status}`, async () => {
      const raw = await got(says(`${Buffer.from(`Status: ${status}`).toString('latin1')}\r\n\r\nbody`))
      assert.equal(statusOf(raw), 502)
      assert.doesNotMatch(raw, /body/)
    })
  }

  it('of 103 with Link is early hints before the answer', async () => {
    for (const gap of [true, false]) {
      const hints = stdout('Status: 103\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n')
      const rest = [stdout('A: b\r\n\r\nbody'), end()]
      const raw = await got((request) => request.send(...(gap ? [hints, ...rest] : [Buffer.concat([hints, ...rest])])))
      assert.match(
        raw,
        /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
      )
      assert.equal(bodyOf(raw.slice(raw.indexOf('HTTP/1.1 200'))), 'body')
    }
  })

  for (const location of ['https://other.test/a?b#c', '//other.test/a', '/path?query']) {
    it(`is a 302 with Location: ${location} and no Status`, async () => {
      const raw = await got(says(`Location: ${location}\r\n\r\n`))
      assert.equal(statusOf(raw), 302)
      assert.deepEqual(fieldOf(raw, 'Location'), [location])
    })
  }

  it('keeps its own Status beside a Location', async () => {
    const raw = await got(says('Status: 201 Created\r\nLocation: /made\r\n\r\n'))
    assert.equal(statusOf(raw), 201)
    assert.deepEqual(fieldOf(raw, 'Location'), ['/made'])
  })

  it('of a lone path in Location is another request inside, when localRedirects is on', async () => {
    await using site = await fakedSite(
      (request) => {
        const uri = request.params.get('REQUEST_URI')
        return request.answer(uri === '/first' ? 'Location: /second?a=1\r\n\r\n' : `A: b\r\n\r\nserved ${uri}`)
      },
      { localRedirects: true },
    )
    const raw = await site.raw('POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody')
    assert.equal(statusOf(raw), 200, site.log.join())
    assert.equal(bodyOf(raw), 'served /second?a=1')
    const second = await site.fake.request(2)
    assert.equal(second.params.get('REQUEST_METHOD'), 'GET')
    assert.equal(second.params.get('QUERY_STRING'), 'a=1')
    assert.equal((await second.body()).length, 0)
  })

  it('does not go in circles with localRedirects', async () => {
    await using site = await fakedSite(says('Location: /again\r\n\r\n'), { localRedirects: true })
    assert.equal(statusOf(await site.get()), 502)
    assert.ok(site.fake.requests.length < 30)
  })

  it('keeps all of several Set-Cookie, WWW-Authenticate, Link and Vary, in their order', async () => {
    const raw = await got(
      says(
        [
          'Set-Cookie: a=1',
          'Vary: X',
          'set-cookie: b=2',
          'Link: <1>',
          'WWW-Authenticate: A',
          'Link: <2>',
          'SET-COOKIE: c=3',
          'Vary: Y',
          'WWW-Authenticate: B',
          '\r\n',
        ].join('\r\n'),
      ),
    )
    assert.deepEqual(fieldOf(raw, 'Set-Cookie'), ['a=1', 'b=2', 'c=3'])
    assert.deepEqual(fieldOf(raw, 'WWW-Authenticate'), ['A', 'B'])
    assert.deepEqual(fieldOf(raw, 'Link'), ['<1>', '<2>'])
    assert.deepEqual(fieldOf(raw, 'Vary'), ['X', 'Y'])
  })

  for (const name of ['Content-Type', 'Location', 'ETag', 'Last-Modified']) {
    it(`takes the first of two ${name} and warns`, async () => {
      await using site = await fakedSite(says(`Status: 200\r\n${name}: "first"\r\n${name}: "second"\r\n\r\n`))
      const raw = await site.get()
      assert.deepEqual(fieldOf(raw, name), ['"first"'])
      assert.match(site.log.join('\n'), new RegExp(`${name} twice`))
    })
  }

  it('takes the first of two Status and warns', async () => {
    await using site = await fakedSite(says('Status: 404\r\nStatus: 200\r\n\r\n'))
    assert.equal(statusOf(await site.get()), 404)
    assert.equal(site.log.length, 1)
  })

  it('passes 8-bit bytes in values as they are', async () => {
    const value = Buffer.from('é\x80ÿ à', 'utf8').toString('latin1')
    const raw = await got(says(`X: caf\xe9\r\nY: ${value}\r\n\r\nbody`))
    assert.deepEqual(fieldOf(raw, 'X'), ['caf\xe9'])
    assert.deepEqual(fieldOf(raw, 'Y'), [value])
  })

  it('passes 8-bit bytes in a redirect and in a streamed answer too', async () => {
    assert.deepEqual(fieldOf(await got(says('Location: /caf\xe9\r\n\r\n')), 'Location'), ['/caf\xe9'])
    const raw = await got((request) => request.send(stdout('X: caf\xe9\r\n\r\nfirst'), stdout('second'), end()))
    assert.deepEqual(fieldOf(raw, 'X'), ['caf\xe9'])
  })

  for (const [what, text] of [
    ['a name that is no token', 'A b: c\r\n\r\n'],
    ['a name with a space before the colon', 'A : c\r\n\r\n'],
    ['an empty name', ': c\r\n\r\n'],
    ['a bare CR in a value', 'A: b\rc\r\n\r\n'],
    ['a NUL in a value', 'A: b\0c\r\n\r\n'],
    ['a control in a value', 'A: b\x01c\r\n\r\n'],
    ['DEL in a value', 'A: b\x7fc\r\n\r\n'],
    ['obs-fold', 'A: b\r\n  folded\r\n\r\n'],
    ['a line without a colon', 'A: b\r\nno colon\r\n\r\n'],
    ['an empty line first', '\r\nbody'],
    ['no empty line', 'A: b\r\n'],
    ['nothing at all', ''],
    ['HTML alone', '<html><body>hello</body></html>\n'],
    ['more than 64 KiB', `A: ${'x'.repeat(70_000)}\r\n\r\n`],
    ['more than 1,000 lines', `${'A: b\r\n'.repeat(1_001)}\r\n`],
  ] as const) {
    it(`is refused with ${what}`, async () => {
      await using site = await fakedSite(says(text))
      const raw = await site.get()
      assert.equal(statusOf(raw), 502, raw.slice(0, 300))
      assert.match(site.log.join('\n'), /ERR_FCGI_BAD_RESPONSE/)
    })
  }

  it('is refused as soon as it is too long, though it never ends', async () => {
    const raw = await got(async (request) => {
      for (let index = 0; index < 100 && !request.connection.closed; index += 1)
        await request.stdout(`A: ${'x'.repeat(1_000)}\r\n`)
    })
    assert.equal(statusOf(raw), 502)
  })

  it('keeps X-Powered-By', async () => {
    assert.deepEqual(fieldOf(await got(says('X-Powered-By: PHP/8.2\r\n\r\n')), 'X-Powered-By'), ['PHP/8.2'])
  })

  it('keeps a Date of its own, and gets one otherwise', async () => {
    const date = 'Tue, 15 Nov 1994 08:12:31 GMT'
    assert.deepEqual(fieldOf(await got(says(`Date: ${date}\r\n\r\n`)), 'Date'), [date])
    assert.equal(fieldOf(await got(says('A: b\r\n\r\n')), 'Date').length, 1)
  })

  it('loses what concerns the connection alone', async () => {
    const names = [
      'Keep-Alive',
      'Upgrade',
      'Trailer',
      'Proxy-Connection',
      'Proxy-Authenticate',
      'Proxy-Authorization',
      'X-Hop',
    ]
    const raw = await got(
      says(`Connection: X-Hop, close\r\n${names.map((name) => `${name}: mine\r\n`).join('')}A: b\r\n\r\nbody`),
    )
    for (const name of names)
      assert.deepEqual(
        fieldOf(raw, name).filter((value) => value.includes('mine')),
        [],
        name,
      )
    assert.doesNotMatch(splitHead(raw)[0], /X-Hop/)
    assert.deepEqual(fieldOf(raw, 'A'), ['b'])
    assert.equal(bodyOf(raw), 'body')
  })

  it('loses a Transfer-Encoding that is not true, and is refused with one that is', async () => {
    const plain = await got(says('Transfer-Encoding: chunked\r\n\r\nhello, this is plain'))
    assert.equal(bodyOf(plain), 'hello, this is plain')
    assert.equal(statusOf(await got(says('Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'))), 502)
  })
})

describe('the length of an answer', () => {
  for (const [what, fields] of [
    ['text', 'Content-Length: many'],
    ['a negative number', 'Content-Length: -1'],
    ['a number with a sign', 'Content-Length: +4'],
    ['nothing', 'Content-Length:'],
    ['hexadecimal', 'Content-Length: 0x4'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5'],
    ['a list of two', 'Content-Length: 4, 5'],
    ['more than can be counted', 'Content-Length: 99999999999999999999'],
  ] as const) {
    it(`is refused as ${what}`, async () => {
      assert.equal(statusOf(await got(says(`${fields}\r\n\r\nbody`))), 502)
    })
  }

  it('may be said twice alike', async () => {
    const raw = await got(says('Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody'))
    assert.deepEqual(fieldOf(raw, 'Content-Length'), ['4'])
    assert.equal(bodyOf(raw), 'body')
  })

  it('cuts a body that is longer, warns, and the connection is not used again', async () => {
    for (const script of [
      says('Content-Length: 4\r\n\r\nbody and more'),
      (request) => request.send(stdout('Content-Length: 4\r\n\r\nbo'), stdout('dy and'), stdout(' more'), end()),
    ] as readonly FakeScript[]) {
      await using site = await fakedSite(script, { keepAlive: true })
      const raw = await site.get()
      assert.deepEqual(fieldOf(raw, 'Content-Length'), ['4'])
      assert.equal(splitHead(raw)[1], 'body')
      assert.match(site.log.join('\n'), /more than its Content-Length/)
      await site.get()
      assert.equal(site.fake.connections.count, 2)
    }
  })

  it('that is not reached is a 502 while the head was not sent', async () => {
    await using site = await fakedSite(says('Content-Length: 10\r\n\r\nbody'))
    assert.equal(statusOf(await site.get()), 502)
    assert.match(site.log.join('\n'), /ERR_FCGI_TRUNCATED/)
  })

  it('that is not reached ends the connection of the client after the head was sent', async () => {
    await using site = await fakedSite(async (request) => {
      await request.stdout('Content-Length: 10\r\n\r\nbody')
      await client.contains('body')
      await request.end()
    })
    const client = site.client('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const raw = await client.end()
    assert.deepEqual(fieldOf(raw, 'Content-Length'), ['10'])
    assert.equal(bodyOf(raw), null)
  })
})

describe('an answer that is cut', () => {
  const ways: readonly (readonly [string, FakeScript])[] = [
    ['closes', (request) => request.connection.close()],
    ['closes its half', (request) => request.connection.halfClose()],
    ['resets', (request) => request.connection.reset()],
  ]
  for (const [how, cut] of ways) {
    for (const [where, text] of [
      ['before its head', ''],
      ['in its head', 'A: b\r\n'],
    ] as const) {
      it(`${where} by a backend that ${how} is a 502`, async () => {
        for (const over of ['unix', 'tcp'] as const) {
          await using site = await fakedSite(
            async (request) => {
              if (text !== '') await request.stdout(text)
              await cut(request)
            },
            {},
            { fake: { over } },
          )
          assert.equal(statusOf(await site.get()), 502)
        }
      })
    }

    it(`in its body by a backend that ${how} is never a clean end`, async () => {
      for (const text of ['A: b\r\n\r\nbody', 'Content-Length: 4\r\n\r\nbody']) {
        await using site = await fakedSite(async (request) => {
          await request.stdout(text)
          await client.contains('body')
          await cut(request)
        })
        const client = site.client('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        const raw = await client.end()
        assert.equal(statusOf(raw), 200)
        // With all of a Content-Length the client has a whole answer; the connection still ends.
        if (!text.startsWith('Content-Length')) assert.equal(bodyOf(raw), null, raw)
      }
    })
  }
})

describe('an answer without content', () => {
  for (const method of ['HEAD', 'GET']) {
    for (const status of [200, 204, 304]) {
      if (method === 'GET' && status === 200) continue
      it(`to ${method} with ${status} has no body, and the connection is kept`, async () => {
        await using site = await fakedSite(says(`Status: ${status}\r\nETag: "x"\r\n\r\nnot for you`), {
          keepAlive: true,
        })
        for (let turn = 0; turn < 2; turn += 1) {
          const one = await site.raw(`${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
          assert.equal(statusOf(one), status)
          assert.equal(splitHead(one)[1], '')
          assert.deepEqual(fieldOf(one, 'ETag'), ['"x"'])
          if (status === 204) assert.deepEqual(fieldOf(one, 'Content-Length'), [])
          assert.deepEqual(fieldOf(one, 'Transfer-Encoding'), [])
        }
        assert.equal(site.fake.connections.count, 1)
      })
    }
  }

  it('to HEAD keeps the Content-Length that the script gave', async () => {
    await using site = await fakedSite(says('Content-Length: 1234\r\n\r\n'))
    const raw = await site.raw('HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    assert.deepEqual(fieldOf(raw, 'Content-Length'), ['1234'])
  })

  it('loses the Content-Length of a 204', async () => {
    assert.deepEqual(fieldOf(await got(says('Status: 204\r\nContent-Length: 4\r\n\r\nbody')), 'Content-Length'), [])
  })
})

describe('records that have no place in an answer', () => {
  const wrong: readonly (readonly [string, Buffer])[] = [
    ['version 2', record({ type: FCGI_STDOUT, version: 2, content: 'x' })],
    ['version 0', record({ type: FCGI_STDOUT, version: 0, content: 'x' })],
    ['an unknown type', record({ type: 99, content: 'x' })],
    ['a type of the web server', record({ type: 5, content: 'x' })],
    ['another request id', record({ type: FCGI_STDOUT, requestId: 2, content: 'x' })],
    ['request id 0', record({ type: FCGI_STDOUT, requestId: 0, content: 'x' })],
    ['END_REQUEST of another request', end({ requestId: 7 })],
    ['END_REQUEST that is too short', record({ type: 3, content: 'x' })],
    ['an HTTP server', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
  ]
  for (const [what, bytes] of wrong) {
    it(`make a 502: ${what}`, async () => {
      await using site = await fakedSite((request) => request.send(bytes))
      assert.equal(statusOf(await site.get()), 502)
      assert.match(site.log.join('\n'), /ERR_FCGI_PROTOCOL/)
    })

    it(`end the connection of the client in the middle: ${what}`, async () => {
      await destroyed(async (request) => {
        await request.stdout('A: b\r\n\r\nbody')
        // The head is on its way when the gateway's next turn has come; in one read with the rest it would be a 502.
        await new Promise((resolve) => setTimeout(resolve, 50))
        await request.send(bytes)
      })
    })
  }

  it('are a 502 when END_REQUEST comes before a head', async () => {
    assert.equal(statusOf(await got((request) => request.end())), 502)
    assert.equal(statusOf(await got((request) => request.send(stdout('A: b\r\n'), end()))), 502)
  })

  for (const [what, surplus] of [
    ['STDOUT', stdout('A: b\r\n\r\nof nobody')],
    ['a whole answer', answer('A: b\r\n\r\nof nobody')],
    ['half a record', stdout('A: b\r\n\r\nof nobody').subarray(0, 9)],
    ['no record', Buffer.from('rubbish')],
  ] as const) {
    it(`are ignored after END_REQUEST, cost the connection, and never reach the next: ${what}`, async () => {
      for (const together of [true, false]) {
        await using site = await fakedSite(
          (request) => {
            const good = answer(`A: b\r\n\r\nanswer of ${request.params.get('REQUEST_URI')}`)
            return request.send(...(together ? [Buffer.concat([good, surplus])] : [good, surplus]))
          },
          { keepAlive: true },
        )
        for (const path of ['/1', '/2', '/3']) {
          const raw = await site.get(path)
          assert.equal(bodyOf(raw), `answer of ${path}`)
          if (!together) await site.fake.until(() => site.fake.connections.open === 0)
        }
        assert.equal(site.fake.connections.count, 3)
      }
    })
  }
})

describe('the end of a request', () => {
  for (const [what, protocolStatus, status] of [
    ['CANT_MPX_CONN', 1, 503],
    ['OVERLOADED', 2, 503],
    ['UNKNOWN_ROLE', 3, 502],
    ['a status that is not known', 77, 502],
  ] as const) {
    it(`with ${what} is a ${status}`, async () => {
      const raw = await got((request) => request.end({ protocolStatus }), { retries: 0 })
      assert.equal(statusOf(raw), status)
      assert.equal(fieldOf(raw, 'Retry-After').length, status === 503 ? 1 : 0)
    })
  }

  it('with an appStatus is logged and the answer is served', async () => {
    await using site = await fakedSite((request) => request.send(stdout('A: b\r\n\r\nbody'), end({ appStatus: 3 })))
    assert.equal(bodyOf(await site.get('/page?x=1')), 'body')
    assert.match(site.log.join('\n'), /GET \/page\?x=1.*exit status 3/)
  })

  it('may have rubbish in its reserved bytes', async () => {
    const raw = await got((request) =>
      request.send(stdout('A: b\r\n\r\nbody'), record({ type: 3, content: Buffer.from('0000000000aabbcc', 'hex') })),
    )
    assert.equal(bodyOf(raw), 'body')
  })
})

describe('the way of an answer to the client', () => {
  it('is one write with Content-Length for a small answer that came whole', async () => {
    await using site = await fakedSite(says('A: b\r\n\r\nbody'))
    const client = site.client('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let reads = 0
    client.socket.on('data', () => {
      reads += 1
    })
    const raw = await client.end()
    assert.deepEqual(fieldOf(raw, 'Content-Length'), ['4'])
    assert.equal(bodyOf(raw), 'body')
    assert.equal(reads, 1)
  })

  it('is at once for each record: head, then every event, before the next is sent', async () => {
    await using site = await fakedSite(async (request) => {
      await request.stdout('Content-Type: text/event-stream\r\n\r\n')
      await client.contains('\r\n\r\n')
      for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
        await request.stdout(event)
        await client.contains(event)
      }
      await request.end()
    })
    const client = site.client('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    assert.equal(bodyOf(await client.end()), 'data: 1\n\ndata: 2\n\ndata: 3\n\n')
  })

  it('holds the backend back while the client does not read, and loses nothing', async () => {
    const total = 64 * 1024 * 1024
    let sent = 0
    await using site = await fakedSite(async (request) => {
      await request.stdout('A: b\r\n\r\n')
      const piece = stdout('x'.repeat(32_768))
      while (sent < total && !request.connection.closed) {
        await request.send(piece)
        sent += 32_768
      }
      await request.end()
    })
    const client = site.client('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let received = 0
    client.socket.on('data', (bytes) => {
      received += bytes.length
    })
    await client.contains('A: b')
    client.socket.pause()
    // Until it has stood still for a while: the buffers of both kernels and ours are full.
    for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 300))) before = sent
    assert.ok(sent < total / 2, `${sent} bytes were taken for a client that does not read`)
    client.socket.resume()
    await client.end()
    assert.equal(sent, total)
    assert.ok(received > total)
  })

  it('carries every byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) & 0xff))
    const raw = await got((request) => request.send(stdout('A: b\r\n\r\n'), stdout(bytes), end()))
    assert.ok(Buffer.from(bodyOf(raw) ?? '', 'latin1').equals(bytes))
  })
})

describe('STDERR', () => {
  async function logged(text: string, path = '/page?x=1'): Promise<string[]> {
    await using site: FakedSite = await fakedSite((request) => request.send(stderr(text), answer('A: b\r\n\r\nbody')))
    const raw = await site.get(path)
    assert.equal(bodyOf(raw), 'body')
    return site.log
  }

  it('is logged with method, URL and script', async () => {
    const log = (await logged('PHP Warning: something\n')).join('\n')
    assert.match(log, /GET \/page\?x=1/)
    assert.match(log, /\/app\/x\.php/)
    assert.match(log, /PHP Warning: something/)
  })

  it('is escaped', async () => {
    const log = await logged('red \x1b[31m NUL \0 CR \r forged\n')
    for (const line of log) assert.ok(!['\0', '\x1b', '\r', '\n'].some((control) => line.includes(control)), line)
    assert.match(log.join('\n'), /\\x1b/)
  })

  it('is cut at 64 KiB a request', async () => {
    const log = await logged(`${'x'.repeat(99)}\n`.repeat(3_000))
    const bytes = log.join('').match(/x{99}/g)?.length ?? 0
    assert.ok(bytes * 100 >= 60_000 && bytes * 100 <= 70_000, `${bytes * 100} bytes were logged`)
  })

  it('never reaches the client', async () => {
    const raw = await got((request) => request.send(stderr('secret'), answer('A: b\r\n\r\nbody'), stderr('secret')))
    assert.doesNotMatch(raw, /secret/)
  })
})
