import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fastcgi } from '../../lib/index.ts'
import { documentTree } from '../support/document-tree.ts'
import { startFake } from '../support/responder.ts'
import type { FakeRequest } from '../support/responder-connection.ts'
import { listen, rawRequest } from '../support/site.ts'

// Node puts the head of an answer that waits its turn before the interim answer that it was given first (found by `npm run fuzz`).

const EXPECTING = 'Host: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx'

/** Two requests at once, the first answered last; what came behind `first`, cut at the ends of heads. */
async function behindFirst(second: string, answer: string): Promise<readonly string[]> {
  const tree = documentTree()
  tree.write('x.php')
  tree.write('file.txt', 'a file')
  let answered = (): void => undefined
  const secondIsAnswered = new Promise<void>((resolve) => {
    answered = resolve
  })
  const fake = await startFake(async (request: FakeRequest) => {
    const isFirst = request.params.get('QUERY_STRING') === 'first'
    if (isFirst) await secondIsAnswered
    await request.answer(isFirst ? 'A: b\r\n\r\nfirst' : answer)
  })
  const php = fastcgi({ server: fake.address, root: tree.root, static: true, logger: false })
  const site = await listen((req, res) => {
    if (req.url !== '/x.php?first') {
      const end = res.end
      // What is queued emits nothing: that it was ended is all that tells.
      res.end = function (this: typeof res, ...given: Parameters<typeof end>) {
        answered()
        return end.apply(this, given)
      } as typeof end
    }
    php(req, res)
  })
  const received = await rawRequest(site.port, `GET /x.php?first HTTP/1.1\r\nHost: x\r\n\r\n${second}`)
  await site.close()
  await php.close()
  await fake.stop()
  tree.remove()
  const text = received.toString('latin1')
  return text.slice(text.indexOf('first') + 'first'.length).split('\r\n\r\n')
}

describe('An interim answer, while an earlier answer on the connection is still due, stays out of the body:', () => {
  it('100 before a script’s answer', async () => {
    const [interim, head = '', ...body] = await behindFirst(
      `POST /x.php HTTP/1.1\r\n${EXPECTING}`,
      'X: \xe9\r\n\r\nsecond',
    )
    assert.equal(interim, 'HTTP/1.1 100 Continue')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\nX: \xe9\r\n/)
    assert.deepEqual(body, ['second'])
  })

  it('100 before a long answer', async () => {
    const long = 'x'.repeat(200_000)
    const [interim, head = '', ...body] = await behindFirst(
      `POST /x.php HTTP/1.1\r\n${EXPECTING}`,
      `X: y\r\n\r\n${long}`,
    )
    assert.equal(interim, 'HTTP/1.1 100 Continue')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    assert.ok(body.join('').includes('x'.repeat(1_000)))
  })

  it('100 before a file', async () => {
    const [interim, head = '', ...body] = await behindFirst(`GET /file.txt HTTP/1.1\r\n${EXPECTING}`, '')
    assert.equal(interim, 'HTTP/1.1 100 Continue')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    assert.deepEqual(body, ['a file'])
  })

  it('early hints', async () => {
    const second = 'GET /x.php HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const [hints = '', head = '', ...body] = await behindFirst(
      second,
      'Status: 103\r\nLink: </a.css>; rel=preload\r\n\r\nX: y\r\n\r\nsecond',
    )
    assert.match(hints, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>/)
    assert.match(head, /^HTTP\/1\.1 200 OK\r\nX: y\r\n/)
    assert.deepEqual(body, ['second'])
  })
})
