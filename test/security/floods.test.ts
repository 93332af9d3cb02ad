import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { RecordDecoder } from '../../lib/protocol/decoder.ts'
import { encodeRequest } from '../../lib/protocol/encoder.ts'
import { ask } from '../support/http-client.ts'
import { answer, end, type FakeRequest, type FakeScript, record, stderr, stdout } from '../support/responder.ts'
import { bodyOf, fakedSite, statusOf } from '../support/responder-site.ts'

// Backends that send without end, or next to nothing at a time. What is bounded is counted in bytes and lines, never in seconds.

const MEGABYTE = 1024 * 1024

/** Sends the same piece until so many bytes have gone or nobody takes them; how many went. */
async function pour(request: FakeRequest, piece: Buffer, total: number): Promise<number> {
  let sent = 0
  while (sent < total && !request.connection.closed) {
    await request.send(piece)
    await turn()
    sent += piece.length
  }
  return sent
}

describe('A flood of STDERR', () => {
  it('of 50 MB leaves 64 KiB in the log, and the answer as it is', async () => {
    const line = stderr(`${'PHP Warning: flood '.repeat(10)}\n`.repeat(300))
    await using site = await fakedSite(async (request) => {
      await pour(request, line, 50 * MEGABYTE)
      await request.answer('A: b\r\n\r\nbody')
    })
    assert.equal(bodyOf(await site.get()), 'body')
    const bytes = site.log.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    assert.ok(bytes < 128 * 1024, `${bytes} bytes were logged`)
    assert.match(site.log.at(-1) ?? '', /more than 65536 bytes, the rest is not logged/)
  })

  it('without a line end is not kept in memory for one', async () => {
    await using site = await fakedSite(async (request) => {
      await pour(request, stderr('x'.repeat(MEGABYTE)), 50 * MEGABYTE)
      await request.answer('A: b\r\n\r\nbody')
    })
    assert.equal(bodyOf(await site.get()), 'body')
    assert.equal(site.log.length, 2)
    assert.ok((site.log[0]?.length ?? 0) < 66_000)
  })

  it('of 100,000 records of a byte is one line, and the answer comes', async () => {
    const bytes = Buffer.concat(Array.from({ length: 100_000 }, () => stderr('x')))
    await using site = await fakedSite(async (request) => {
      await request.send(bytes)
      await request.answer('A: b\r\n\r\nbody')
    })
    assert.equal(bodyOf(await site.get()), 'body')
    assert.equal(site.log.length, 2)
    assert.match(site.log[0] ?? '', /x{65536}$/)
  })
})

describe('A head without an end', () => {
  const FLOODS: readonly (readonly [string, Buffer])[] = [
    ['of 10,000 lines', stdout('A: b\r\n'.repeat(10_000))],
    ['of 10,000 empty fields', stdout('A:\n'.repeat(10_000))],
    ['of 1 MB in one line', stdout(`A: ${'x'.repeat(MEGABYTE)}`)],
    ['of 1 MB in a name', stdout('x'.repeat(MEGABYTE))],
    ['of early hints', stdout('Status: 103\r\nLink: </x>\r\n\r\n'.repeat(10_000))],
  ]
  for (const [what, piece] of FLOODS) {
    it(`is a 502 and the end of its connection, though the script goes on: ${what}`, async () => {
      let sent = 0
      await using site = await fakedSite(async (request) => {
        sent = await pour(request, piece, 200 * MEGABYTE)
      })
      // Early hints are on their way by then: the last word counts.
      assert.match(await site.get(), /(?:^|\r\n\r\n)HTTP\/1\.1 502 /)
      await site.fake.until(() => site.fake.connections.open === 0)
      assert.ok(sent < 50 * MEGABYTE, `${sent} bytes were taken`)
      assert.match(site.log.join('\n'), /ERR_FCGI_BAD_RESPONSE/)
      assert.ok(site.log.join('').length < 4096, 'the log repeats the flood')
    })
  }

  it('of 10,000 lines is a 502 although it ends', async () => {
    for (const line of ['A: b\r\n', 'A:\n', 'Set-Cookie: a=b\r\n']) {
      await using site = await fakedSite((request) => request.answer(`${line.repeat(10_000)}\r\nbody`))
      assert.equal(statusOf(await site.get()), 502)
    }
  })
})

describe('One byte at a time', () => {
  /** Each byte in a record of its own with a padding, and each byte of those records in a write of its own. */
  function drops(text: string, requestId: number): Buffer[] {
    return Array.from(text, (letter, n) => stdout(letter, { requestId, padding: n % 3 }))
  }

  it('an answer is the same, on a connection that is kept', async () => {
    const text = `X-Long: ${'y'.repeat(2_000)}\r\nContent-Type: text/plain\r\n\r\n${'body '.repeat(400)}`
    const script: FakeScript = (request) => {
      const bytes = Buffer.concat([...drops(text, request.id), end({ requestId: request.id })])
      return request.send(...Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))
    }
    await using site = await fakedSite(script, { keepAlive: true })
    for (let round = 0; round < 2; round += 1) {
      const { text: body, headers } = await ask(site.url)
      assert.equal(body, 'body '.repeat(400))
      assert.equal(headers['x-long'], 'y'.repeat(2_000))
    }
    assert.equal(site.fake.connections.count, 1)
  })

  it('a head of 60,000 bytes in as many records is read', async () => {
    const text = `${'X: yyyyyy\r\n'.repeat(900)}Y: ${'z'.repeat(50_000)}\r\n\r\nbody`
    await using site = await fakedSite((request) =>
      request.send(Buffer.concat(drops(text, request.id)), end({ requestId: request.id })),
    )
    assert.equal(bodyOf(await site.get()), 'body')
  })

  it('without an end is over after timeout, as nothing else bounds it', async () => {
    await using site = await fakedSite(
      async (request) => {
        await request.stdout('A: b\r\n\r\n')
        while (!request.connection.closed) {
          await request.stdout('x')
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      },
      { readTimeout: 100, timeout: 500 },
    )
    const raw = await site.get()
    assert.match(raw, /x/)
    assert.equal(bodyOf(raw), null)
    assert.match(site.log.join('\n'), /ERR_FCGI_TIMEOUT/)
    await site.fake.until(() => site.fake.connections.open === 0)
  })
})

describe('Records without content', () => {
  it('of STDERR and of padding in masses change nothing', async () => {
    const empty = Buffer.concat(Array.from({ length: 20_000 }, () => record({ type: 7, padding: 255 })))
    await using site = await fakedSite((request) => request.send(empty, answer('A: b\r\n\r\nbody')))
    assert.equal(bodyOf(await site.get()), 'body')
    assert.deepEqual(site.log, [])
  })

  it('and END_REQUEST of 65,535 bytes cost no more than they are', () => {
    const seen: number[] = []
    const decoder = new RecordDecoder({
      onStreamContent: () => undefined,
      onStreamEnd: () => undefined,
      onRecord: (_type, _id, content) => void seen.push(content.length),
    })
    const bytes = record({ type: 3, content: Buffer.alloc(65_535) })
    for (let at = 0; at < bytes.length; at += 1) decoder.push(bytes.subarray(at, at + 1))
    decoder.push(encodeRequest({ requestId: 1, role: 1, flags: 0, params: new Map(), stdin: undefined }))
    assert.deepEqual(seen, [65_535, 8])
  })
})
