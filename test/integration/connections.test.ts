import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { answer, closeAfter, type FakeConnection, type FakeScript, stdout } from '../support/responder.ts'
import { startFull } from '../support/responder-full.ts'
import { bodyOf, type FakedSite, fakedSite, fieldOf, statusOf } from '../support/responder-site.ts'

const says: FakeScript = (request) =>
  request.answer(`A: b\r\n\r\n${request.params.get('REQUEST_METHOD')} ${request.params.get('REQUEST_URI')}`)

function send(site: FakedSite, method: string, path = '/', body?: string): Promise<string> {
  const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`
  return site.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n${body ?? ''}`)
}

/** A client that waits for its answer. */
function asks(site: FakedSite, path: string): ReturnType<FakedSite['client']> {
  return site.client(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
}

function status(site: FakedSite): { open: number; idle: number; busy: number; waiting: number } {
  const [{ open = -1, idle = -1, busy = -1, waiting = -1 } = {}] = site.handler.status().servers
  return { open, idle, busy, waiting }
}

/** Holds answers back until the test lets them go. */
class Gate {
  readonly #waiting: (() => void)[] = []
  #open = false

  readonly script: FakeScript = async (request) => {
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    await says(request)
  }

  openOne(): void {
    this.#waiting.shift()?.()
  }

  open(): void {
    this.#open = true
    for (const go of this.#waiting.splice(0)) go()
  }
}

describe('a connection', () => {
  it('is not opened before there is a request for it', async () => {
    await using site = await fakedSite(says, { keepAlive: true })
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(site.fake.connections.count, 0)
    assert.deepEqual(status(site), { open: 0, idle: 0, busy: 0, waiting: 0 })
  })

  it('is used again with keepAlive', async () => {
    for (const over of ['unix', 'tcp'] as const) {
      await using site = await fakedSite(says, { keepAlive: true }, { fake: { over } })
      for (let turn = 1; turn <= 5; turn += 1) assert.equal(bodyOf(await send(site, 'GET', `/${turn}`)), `GET /${turn}`)
      assert.equal(site.fake.connections.count, 1)
      assert.ok(site.fake.requests.every((request) => request.keepConn))
      assert.deepEqual(status(site), { open: 1, idle: 1, busy: 0, waiting: 0 })
    }
  })

  it('is closed by the gateway as soon as END_REQUEST has come without keepAlive', async () => {
    await using site = await fakedSite(says)
    for (let turn = 1; turn <= 3; turn += 1) {
      await send(site, 'GET')
      await site.fake.until(() => site.fake.connections.open === 0)
      assert.equal(site.fake.connections.count, turn)
    }
    assert.ok(site.fake.requests.every((request) => !request.keepConn))
  })

  it('is never used again after a body', async () => {
    await using site = await fakedSite(says, { keepAlive: true })
    await send(site, 'GET')
    await send(site, 'POST', '/', 'body')
    await send(site, 'GET')
    await send(site, 'PUT', '/', 'body')
    await send(site, 'POST', '/', '')
    for (const request of site.fake.requests) {
      const { requests } = request.connection
      assert.equal(
        requests.slice(0, -1).some((one) => one.stdinLength > 0),
        false,
      )
    }
    assert.deepEqual(
      site.fake.requests.map((request) => [request.stdinLength, request.keepConn]),
      [
        [0, true],
        [4, false],
        [0, true],
        [4, false],
        [0, true],
      ],
    )
  })

  it('is used again after a body with reuseAfterBody', async () => {
    await using site = await fakedSite(
      async (request) => {
        await request.body()
        await says(request)
      },
      { keepAlive: true, reuseAfterBody: true },
    )
    for (let turn = 0; turn < 3; turn += 1) await send(site, 'POST', '/', 'body')
    assert.equal(site.fake.connections.count, 1)
    assert.ok(site.fake.requests.every((request) => String(request.stdin) === 'body'))
  })

  it('is not used again after an answer that came before the whole body was sent, though reuseAfterBody', async () => {
    await using site = await fakedSite(
      async (request) => {
        request.connection.pause()
        await says(request)
      },
      { keepAlive: true, reuseAfterBody: true },
    )
    await send(site, 'POST', '/', 'b'.repeat(8_000_000))
    await send(site, 'GET')
    assert.equal(site.fake.connections.count, 2)
  })

  it('is closed after maxRequests', async () => {
    await using site = await fakedSite(says, { keepAlive: true }, { server: { maxRequests: 3 } })
    for (let turn = 0; turn < 7; turn += 1) await send(site, 'GET')
    assert.deepEqual(
      site.fake.connections.list.map((connection) => connection.requests.length),
      [3, 3, 1],
    )
  })

  it('is closed after idleTimeout', async () => {
    await using site = await fakedSite(says, { keepAlive: true }, { server: { idleTimeout: 50 } })
    await send(site, 'GET')
    assert.equal(status(site).idle, 1)
    await site.fake.until(() => site.fake.connections.open === 0)
    assert.equal(status(site).open, 0)
    assert.equal(bodyOf(await send(site, 'GET')), 'GET /')
  })

  it('that the backend closed while it was idle costs no request, of whatever method', async () => {
    for (const how of ['close', 'halfClose', 'reset'] as const) {
      for (const method of ['GET', 'POST']) {
        await using site = await fakedSite(says, { keepAlive: true }, { fake: { over: 'tcp' } })
        await send(site, 'GET')
        site.fake.connections.list[0]?.[how]()
        await eventually('the gateway has noticed', () => status(site).open === 0)
        assert.equal(statusOf(await send(site, method, '/', method === 'POST' ? 'body' : undefined)), 200)
      }
    }
  })
})

describe('a kept connection that dies before the first byte of the answer', () => {
  /** Dies at its second request; the first of every connection is served. */
  const mortal: FakeScript = (request) => {
    if (request.connection.requests.length === 1) return says(request)
    request.connection.close()
    return undefined
  }

  for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']) {
    it(`is no matter for ${method}: it is sent again, on a new connection`, async () => {
      await using site = await fakedSite(mortal, { keepAlive: true })
      await send(site, 'GET')
      assert.equal(statusOf(await send(site, method, '/again')), 200)
      assert.equal(site.fake.connections.count, 2)
      assert.equal(site.fake.requests.length, 3)
      assert.equal(site.fake.requests[2]?.params.get('REQUEST_URI'), '/again')
    })
  }

  for (const method of ['POST', 'PATCH']) {
    it(`is a 502 for ${method}`, async () => {
      await using site = await fakedSite(mortal, { keepAlive: true })
      await send(site, 'GET')
      assert.equal(statusOf(await send(site, method, '/again', '')), 502)
      assert.equal(site.fake.requests.length, 2)
    })
  }

  it('is no matter for a PUT whose body is still at hand', async () => {
    await using site = await fakedSite(mortal, { keepAlive: true, reuseAfterBody: true })
    await send(site, 'GET')
    assert.equal(statusOf(await send(site, 'PUT', '/again', 'body')), 200)
    assert.equal(String(await (await site.fake.request(3)).body()), 'body')
  })

  it('is a 502 with retries 0', async () => {
    await using site = await fakedSite(mortal, { keepAlive: true, retries: 0 })
    await send(site, 'GET')
    assert.equal(statusOf(await send(site, 'GET', '/again')), 502)
  })

  it('makes the other idle ones suspicious: the second attempt is on a new connection', async () => {
    const gate = new Gate()
    let dying = false
    await using site = await fakedSite(
      (request) => {
        if (!dying || request.connection.requests.length === 1) return gate.script(request)
        request.connection.close()
        return undefined
      },
      { keepAlive: true },
    )
    const clients = [asks(site, '/1'), asks(site, '/2'), asks(site, '/3')]
    await site.fake.request(3)
    gate.open()
    for (const client of clients) await client.end()
    await eventually('all are idle', () => status(site).idle === 3)
    dying = true
    assert.equal(statusOf(await send(site, 'GET', '/again')), 200)
    assert.equal(site.fake.connections.count, 4)
  })
})

describe('a request', () => {
  it('is not sent again when a new connection dies', async () => {
    await using site = await fakedSite((request) => request.connection.close(), { retries: 3 })
    assert.equal(statusOf(await send(site, 'GET')), 502)
    assert.equal(site.fake.requests.length, 1)
  })

  it('is not sent again when any of the answer has come', async () => {
    await using site = await fakedSite(
      async (request) => {
        if (request.connection.requests.length === 1) return says(request)
        await request.send(stdout('A: b\r\n').subarray(0, 3))
        request.connection.close()
      },
      { keepAlive: true, retries: 3 },
    )
    await send(site, 'GET')
    assert.equal(statusOf(await send(site, 'GET', '/again')), 502)
    assert.equal(site.fake.requests.length, 2)
  })

  for (const [what, protocolStatus] of [
    ['OVERLOADED', 2],
    ['CANT_MPX_CONN', 1],
  ] as const) {
    for (const method of ['GET', 'POST']) {
      it(`is sent again after ${what}: ${method}`, async () => {
        await using site = await fakedSite(async (request) => {
          await request.body()
          if (site.fake.requests.length === 1) return request.end({ protocolStatus })
          return says(request)
        })
        assert.equal(bodyOf(await send(site, method, '/', method === 'POST' ? 'body' : undefined)), `${method} /`)
        assert.equal(site.fake.requests.length, 2)
        assert.equal(String(site.fake.requests[1]?.stdin), method === 'POST' ? 'body' : '')
      })
    }

    it(`is a 503 when ${what} does not end, after ${3} attempts with retries 2`, async () => {
      await using site = await fakedSite((request) => request.end({ protocolStatus }), { retries: 2 })
      const raw = await send(site, 'GET')
      assert.equal(statusOf(raw), 503)
      assert.deepEqual(fieldOf(raw, 'Retry-After'), ['1'])
      assert.equal(site.fake.requests.length, 3)
    })
  }

  it('is sent again when nothing could be connected to, POST too', async () => {
    const directory = privateDirectory('late')
    const address = join(directory.path, 's')
    await using site = await fakedSite(says, {}, { address })
    const late = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.once('data', () => socket.write(answer('A: b\r\n\r\nat last')))
    })
    // The backend comes up between the two attempts.
    const onRetry = (): void => void late.listen(address)
    subscribe('express-fastcgi:backend:retry', onRetry)
    try {
      assert.equal(bodyOf(await send(site, 'POST', '/', 'body')), 'at last')
    } finally {
      unsubscribe('express-fastcgi:backend:retry', onRetry)
      late.close()
      directory.remove()
    }
  })

  it('waits while the backlog of a unix socket is full', async () => {
    const full = await startFull({ over: 'unix', reply: answer('A: b\r\n\r\nat last') })
    await using site = await fakedSite(says, { retries: 0 }, { address: full.address })
    const client = asks(site, '/')
    await eventually('the request is on its way', () => status(site).busy === 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(client.text, '')
    full.release()
    assert.equal(bodyOf(await client.end()), 'at last')
    await full.stop()
  })
})

describe('the pool', () => {
  for (const keepAlive of [true, false]) {
    it(`never has more than maxConnections requests at the backend, keepAlive ${keepAlive}, and serves all`, async () => {
      let active = 0
      let peak = 0
      await using site = await fakedSite(
        async (request) => {
          active += 1
          peak = Math.max(peak, active)
          await new Promise((resolve) => setTimeout(resolve, 5))
          active -= 1
          await says(request)
        },
        { keepAlive },
        { server: { maxConnections: 4 } },
      )
      const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => send(site, 'GET', `/${index}`)))
      assert.deepEqual(
        answers.map(bodyOf),
        Array.from({ length: 60 }, (_, index) => `GET /${index}`),
      )
      assert.equal(peak, 4)
      // Only with keepAlive nothing is closed, and the responder sees each place once.
      if (keepAlive) assert.equal(site.fake.connections.peak, 4)
      assert.equal(status(site).busy, 0)
    })
  }

  it('lets those who wait in, in their order', async () => {
    const gate = new Gate()
    await using site = await fakedSite(gate.script, {}, { server: { maxConnections: 1 } })
    const clients = [asks(site, '/0')]
    await site.fake.request(1)
    for (let index = 1; index <= 6; index += 1) {
      clients.push(asks(site, `/${index}`))
      await eventually(`${index} wait`, () => status(site).waiting === index)
    }
    gate.open()
    for (const client of clients) assert.equal(statusOf(await client.end()), 200)
    assert.deepEqual(
      site.fake.requests.map((request) => request.params.get('REQUEST_URI')),
      ['/0', '/1', '/2', '/3', '/4', '/5', '/6'],
    )
  })

  it('lets queueLimit wait and refuses one more', async () => {
    const gate = new Gate()
    await using site = await fakedSite(gate.script, { queueLimit: 2 }, { server: { maxConnections: 1 } })
    const clients = [asks(site, '/0')]
    await site.fake.request(1)
    for (let index = 1; index <= 2; index += 1) {
      clients.push(asks(site, `/${index}`))
      await eventually(`${index} wait`, () => status(site).waiting === index)
    }
    assert.equal(statusOf(await send(site, 'GET', '/too-many')), 503)
    gate.open()
    for (const client of clients) assert.equal(statusOf(await client.end()), 200)
    assert.equal(site.fake.requests.length, 3)
  })

  it('never sends a request that gave up waiting', async () => {
    const gate = new Gate()
    await using site = await fakedSite(gate.script, { queueTimeout: 30 }, { server: { maxConnections: 1 } })
    const first = asks(site, '/first')
    await site.fake.request(1)
    assert.equal(statusOf(await send(site, 'GET', '/late')), 503)
    assert.equal(status(site).waiting, 0)
    gate.open()
    assert.equal(statusOf(await first.end()), 200)
    assert.equal(statusOf(await send(site, 'GET', '/next')), 200)
    assert.deepEqual(
      site.fake.requests.map((request) => request.params.get('REQUEST_URI')),
      ['/first', '/next'],
    )
  })

  it('lets a client leave the queue, and the next one in its place', async () => {
    const gate = new Gate()
    await using site = await fakedSite(gate.script, {}, { server: { maxConnections: 1 } })
    const first = asks(site, '/first')
    await site.fake.request(1)
    const leaving = asks(site, '/leaving')
    await eventually('one waits', () => status(site).waiting === 1)
    const second = asks(site, '/second')
    await eventually('two wait', () => status(site).waiting === 2)
    leaving.socket.destroy()
    await eventually('one has left', () => status(site).waiting === 1)
    gate.open()
    assert.equal(statusOf(await first.end()), 200)
    assert.equal(statusOf(await second.end()), 200)
    assert.equal(site.fake.requests.length, 2)
    assert.doesNotMatch(site.log.join('\n'), /leaving/)
  })

  /** Like php-fpm: a connection gets a child when one is free, and keeps it until it is closed. */
  function children(count: number): { readonly script: FakeScript; readonly pinned: () => number } {
    let free = count
    const waiting: (() => void)[] = []
    const hasChild = new Set<FakeConnection>()
    const release = (): void => {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
    return {
      pinned: () => count - free,
      async script(request) {
        const { connection } = request
        if (!hasChild.has(connection)) {
          if (free > 0) free -= 1
          else await new Promise<void>((resolve) => waiting.push(resolve))
          hasChild.add(connection)
          void connection.until(() => connection.closed).then(release)
        }
        await says(request)
      },
    }
  }

  it('does not starve itself: idle connections are given up for one that gets no child', async () => {
    const php = children(2)
    await using site = await fakedSite(php.script, { keepAlive: true }, { server: { maxConnections: 8 } })
    const answers = await Promise.all(Array.from({ length: 80 }, (_, index) => send(site, 'GET', `/${index}`)))
    assert.ok(answers.every((raw) => statusOf(raw) === 200))
    // With every child pinned by an idle connection, requests that need more connections than there are children.
    for (let round = 0; round < 3; round += 1) {
      const more = await Promise.all(Array.from({ length: 5 }, (_, index) => send(site, 'GET', `/more-${index}`)))
      assert.ok(more.every((raw) => statusOf(raw) === 200))
    }
    assert.ok(php.pinned() <= 2)
  })

  it('keeps its connections in a burst when every one of them is served at once', async () => {
    await using site = await fakedSite(says, { keepAlive: true }, { server: { maxConnections: 16 } })
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(Array.from({ length: 16 }, (_, index) => send(site, 'GET', `/${index}`)))
    }
    assert.ok(site.fake.connections.count <= 20, `${site.fake.connections.count} connections were opened`)
  })

  it('finishes what is under way when it is closed, then closes every connection', async () => {
    const gate = new Gate()
    await using site = await fakedSite(gate.script, { keepAlive: true })
    const idle = asks(site, '/idle')
    await site.fake.request(1)
    gate.openOne()
    await idle.end()
    const busy = [asks(site, '/busy'), asks(site, '/busy')]
    await site.fake.request(3)
    const closed = site.handler.close()
    assert.equal(statusOf(await send(site, 'GET', '/new')), 503)
    gate.open()
    for (const client of busy) assert.equal(bodyOf(await client.end()), 'GET /busy')
    await closed
    await site.fake.until(() => site.fake.connections.open === 0)
    assert.equal(status(site).open, 0)
  })
})

describe('a client that leaves', () => {
  it('has its request aborted and the connection closed, kept or not', async () => {
    for (const keepAlive of [true, false]) {
      await using site = await fakedSite(() => undefined, { keepAlive })
      const client = asks(site, '/')
      const request = await site.fake.request(1)
      client.socket.destroy()
      await site.fake.until(() => request.connection.closed)
      assert.equal(request.aborted, true)
      await eventually('nothing is busy', () => status(site).busy === 0)
      assert.deepEqual(site.log, [])
    }
  })

  it('in the middle of the answer has it aborted too', async () => {
    await using site = await fakedSite(
      async (request) => {
        await request.stdout('A: b\r\n\r\n')
        while (!request.connection.closed) {
          await request.stdout('more')
          await new Promise(setImmediate)
        }
      },
      { keepAlive: true },
    )
    const client = asks(site, '/')
    await client.contains('more')
    client.socket.destroy()
    await site.fake.until(() => site.fake.connections.open === 0)
    assert.equal(site.fake.requests[0]?.connection.closed, true)
  })

  it('in the middle of its body has it aborted too', async () => {
    await using site = await fakedSite(() => undefined, { keepAlive: true })
    const client = site.client(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'b'.repeat(100_000)}`)
    const request = await site.fake.request(1)
    await site.fake.until(() => request.stdinLength > 0)
    client.socket.destroy()
    await site.fake.until(() => request.connection.closed)
    assert.equal(request.stdinEnded, false)
    await eventually('nothing is busy', () => status(site).busy === 0)
  })

  it('while it still sends a short body never reaches the backend', async () => {
    await using site = await fakedSite(says)
    const client = site.client('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf')
    await eventually('the request has come', () => site.received.length === 1)
    const [req] = site.received
    client.socket.destroy()
    await eventually('the client is gone', () => req?.destroyed === true)
    assert.equal(statusOf(await send(site, 'GET', '/next')), 200)
    assert.equal(site.fake.requests.length, 1)
  })

  it('leaves the pool as it was: the only connection is free for the next', async () => {
    await using site = await fakedSite(
      (request) => (request.params.get('REQUEST_URI') === '/silent' ? undefined : says(request)),
      { keepAlive: true },
      { server: { maxConnections: 1 } },
    )
    for (let turn = 1; turn <= 3; turn += 1) {
      const client = asks(site, '/silent')
      await site.fake.until(
        () => site.fake.requests.filter((r) => r.params.get('REQUEST_URI') === '/silent').length === turn,
      )
      client.socket.destroy()
      assert.equal(statusOf(await send(site, 'GET', '/next')), 200)
    }
  })
})

describe('a backend that closes after some requests', () => {
  it('is no matter', async () => {
    await using site = await fakedSite(closeAfter(2, says), { keepAlive: true })
    for (let turn = 0; turn < 9; turn += 1) assert.equal(statusOf(await send(site, 'GET')), 200)
  })
})
