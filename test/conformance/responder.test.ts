import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { linkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  createResponder,
  type Responder,
  type ResponderRequest,
  type ResponderResponse,
} from '../../lib/responder/index.ts'
import type { Backend } from '../support/backend.ts'
import { startNginx } from '../support/nginx.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { rawFastCgi } from '../support/raw-fastcgi.ts'
import { backend, pathOf } from '../support/require-backend.ts'

async function echo(req: ResponderRequest, res: ResponderResponse): Promise<void> {
  const body = await buffer(req.stdin)
  res.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(body)
}

/** What every suite here asks: a different answer by QUERY_STRING. */
function application(): Responder {
  return createResponder(async (req, res) => {
    switch (req.params.get('QUERY_STRING')) {
      case 'echo':
        // Whole before the head: nginx sends no more of a body once the answer has begun.
        return echo(req, res)
      case 'error':
        throw new Error('the application failed')
      case 'early':
        res.writeHead(413, { 'Content-Type': 'text/plain' }).end('too long')
        return
      case 'stderr':
        res.stderr.write('a line for the log\n')
        res.writeHead(404, { 'Content-Type': 'text/plain' }).end('not here')
        return
      case 'status':
        res.appStatus = 3
        res.writeHead(200, { 'Content-Type': 'text/plain' }).end('three')
        return
      default: {
        const body = await text(req.stdin)
        res.writeHead(200, { 'Content-Type': 'text/plain' }).end(`${req.params.get('REQUEST_METHOD')} ${body}`)
      }
    }
  })
}

backend('cgi-fcgi').describe('the responder under cgi-fcgi', () => {
  const directory = privateDirectory('cgifcgi')
  const address = join(directory.path, 's')
  const responder = application()
  before(() => responder.listen(address))
  after(async () => {
    responder.closeAllConnections()
    await responder.close()
    directory.remove()
  })

  async function run(query: string, body = ''): Promise<{ stdout: string; stderr: string; code: number | null }> {
    const child = spawn(pathOf('cgi-fcgi'), ['-bind', '-connect', address], {
      env: {
        REQUEST_METHOD: body === '' ? 'GET' : 'POST',
        QUERY_STRING: query,
        CONTENT_LENGTH: String(Buffer.byteLength(body)),
      },
    })
    child.stdin.end(body)
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit])
    return { stdout, stderr, code }
  }

  it('answers', async () => {
    assert.match((await run('')).stdout, /^Status: 200\r\nContent-Type: text\/plain\r\n\r\nGET $/)
  })

  it('gets the body', async () => {
    assert.match((await run('', 'some body')).stdout, /POST some body$/)
  })

  it('writes STDERR and tells its appStatus', async () => {
    const { stdout, stderr } = await run('stderr')
    assert.match(stdout, /^Status: 404\r\n/)
    assert.match(stderr, /a line for the log/)
    assert.equal((await run('status')).code, 3)
  })

  it('fails with appStatus 1', async () => {
    const { stderr, code } = await run('error')
    assert.match(stderr, /Error: the application failed/)
    assert.equal(code, 1)
  })
})

backend('nginx').describe('the responder behind nginx', () => {
  const directory = privateDirectory('responder')
  const address = join(directory.path, 's')
  const responder = application()
  let nginx: Backend
  before(async () => {
    await responder.listen(address)
    const fastcgi = `fastcgi_pass app; include /etc/nginx/fastcgi.conf; client_max_body_size 100m;`
    nginx = await startNginx({
      server: `location / { ${fastcgi} } location /kept/ { ${fastcgi} fastcgi_keep_conn on; }
        location /stream/ { ${fastcgi} fastcgi_request_buffering off; fastcgi_buffering off; }`.replaceAll(
        'fastcgi_pass app',
        `fastcgi_pass unix:${address}`,
      ),
    })
  })
  after(async () => {
    await nginx?.stop()
    responder.closeAllConnections()
    await responder.close()
    directory.remove()
  })

  for (const place of ['/', '/kept/', '/stream/']) {
    it(`answers at ${place}`, async () => {
      for (let turn = 0; turn < 5; turn += 1) {
        const answer = await fetch(`http://${nginx.address}${place}`, { method: 'POST', body: 'some body' })
        assert.equal(answer.status, 200)
        assert.equal(await answer.text(), 'POST some body')
      }
    })

    it(`carries 20 MB through and back at ${place}`, async () => {
      const body = randomBytes(20_000_000)
      const answer = await fetch(`http://${nginx.address}${place}?echo`, { method: 'POST', body })
      const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
      assert.equal(hash(new Uint8Array(await answer.arrayBuffer())), hash(body))
    })

    it(`gives an answer that comes before the body at ${place}`, async () => {
      const answer = await fetch(`http://${nginx.address}${place}?early`, { method: 'POST', body: randomBytes(50_000) })
      assert.equal(answer.status, 413)
      assert.equal(await answer.text(), 'too long')
    })
  }

  it('is a 500 with the failure in the log of nginx when the application fails', async () => {
    const answer = await fetch(`http://${nginx.address}/?error`)
    assert.equal(answer.status, 500)
    assert.doesNotMatch(await answer.text(), /the application failed/)
    assert.match(nginx.log(), /FastCGI sent in stderr: "Error: the application failed/)
  })

  it('answers many at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const answer = await fetch(`http://${nginx.address}/`, { method: 'POST', body: `body ${index}` })
        return await answer.text()
      }),
    )
    assert.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, index) => `POST body ${index}`),
    )
  })
})

/** Started with the listening socket as its descriptor 0, as FastCGI 1.0 section 2.2 has it. */
const APPLICATION = `
import { createResponder } from ${JSON.stringify(fileURLToPath(new URL('../../lib/responder/index.ts', import.meta.url)))}
const responder = createResponder((req, res) => res.end('from descriptor 0'))
await responder.listen({ fd: 0 })
`

for (const over of ['TCP', 'a unix socket'] as const) {
  it(`serves on a socket that it is given as descriptor 0, over ${over}`, async () => {
    const directory = privateDirectory('fd0')
    const listening = createServer()
    const where = over === 'TCP' ? { port: 0, host: '127.0.0.1' } : { path: join(directory.path, 's') }
    await new Promise<void>((resolve) => listening.listen(where, resolve))
    const bound = listening.address() as AddressInfo | string
    const address = typeof bound === 'string' ? `${bound}2` : `127.0.0.1:${bound.port}`
    // Closing takes the name of a unix socket away, so it gets another.
    if (typeof bound === 'string') linkSync(bound, address)
    const { fd } = (listening as unknown as { readonly _handle: { readonly fd: number } })._handle
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', APPLICATION], {
      stdio: [fd, 'inherit', 'inherit'],
    })
    // From here on the child alone accepts; who connects before it does waits in the backlog.
    listening.close()
    try {
      const { stdout } = await rawFastCgi({ address, params: {} })
      assert.match(String(stdout), /from descriptor 0$/)
    } finally {
      child.kill()
      directory.remove()
    }
  })
}
