import assert from 'node:assert/strict'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { ClientWatch } from '../../../../lib/http/client-watch.ts'
import { type StaticLocation, serveStatic } from '../../../../lib/http/resolution/static-file.ts'
import { documentTree } from '../../../support/document-tree.ts'
import { listen } from '../../../support/listen.ts'

const tree = documentTree(['www/.env', 'www/.git/config', 'www/dir/', 'outside/secret.txt', 'www/sub/index.php'])
after(() => tree.remove())
const root = `${tree.root}/www`
tree.write('www/style.css', 'body {}')
tree.write('www/caf\u00e9.txt', 'coffee')
tree.write('www/100% #1?.txt', 'percent')
tree.link('www/escape.txt', `${tree.root}/outside/secret.txt`)
tree.link('www/linked.css', 'style.css')
tree.link('www/harmless.txt', 'sub/index.php')

const location: StaticLocation = { root, scriptExtensions: ['.php'], symlinks: 'follow' }

/** Status, body and headers; the code of a failure as status 599. */
async function get(
  path: string,
  given: Partial<StaticLocation> = {},
  init: RequestOptions = {},
): Promise<{ status: number; body: string; headers: IncomingHttpHeaders }> {
  const server = createServer((req, res) => {
    serveStatic({ req, res, client: new ClientWatch(req, res) }, { location: { ...location, ...given }, path }).then(
      (served) => {
        if (!served) res.writeHead(599).end('absent')
      },
      (error: { code: string }) => res.writeHead(599).end(error.code),
    )
  })
  await using listening = await listen(server)
  return await new Promise((resolve, reject) => {
    const options = { port: listening.port, host: '127.0.0.1', path: '/anything', agent: false, ...init }
    request(options, (res) => {
      const { statusCode: status = 0, headers } = res
      text(res).then((body) => resolve({ status, body, headers }), reject)
    })
      .on('error', reject)
      .end()
  })
}

async function outcome(path: string, given: Partial<StaticLocation> = {}): Promise<string> {
  const { status, body } = await get(path, given)
  return status === 599 ? body : `${status} ${body}`
}

test('serves a file as express.static does', async () => {
  const { status, body, headers } = await get('/style.css')
  assert.equal(status, 200)
  assert.equal(body, 'body {}')
  assert.match(headers['content-type'] ?? '', /^text\/css/)
  assert.equal(headers['content-length'], '7')
  assert.equal(headers['accept-ranges'], 'bytes')
  assert.ok(headers.etag !== undefined && headers['last-modified'] !== undefined)
})

test('serves HEAD without a body', async () => {
  const { status, body, headers } = await get('/style.css', {}, { method: 'HEAD' })
  assert.deepEqual([status, body, headers['content-length']], [200, '', '7'])
})

test('serves ranges', async () => {
  const part = await get('/style.css', {}, { headers: { range: 'bytes=0-3' } })
  assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, 'body', 'bytes 0-3/7'])
  const beyond = await get('/style.css', {}, { headers: { range: 'bytes=100-' } })
  assert.deepEqual([beyond.status, beyond.body, beyond.headers['content-range']], [416, '', 'bytes */7'])
})

test('answers conditions', async () => {
  const { headers } = await get('/style.css')
  const etag = headers.etag ?? ''
  assert.equal((await get('/style.css', {}, { headers: { 'if-none-match': etag } })).status, 304)
  assert.equal((await get('/style.css', {}, { headers: { 'if-match': '"other"' } })).status, 412)
})

test('serves names as they are, encoded or not', async () => {
  assert.equal(await outcome('/caf\xc3\xa9.txt'), '200 coffee')
  assert.equal(await outcome('/100% #1?.txt'), '200 percent')
  assert.equal(await outcome('/caf%C3%A9.txt'), 'absent')
})

for (const path of [
  '/none.css',
  '/dir',
  '/dir/',
  '/style.css/',
  '/style.css/x',
  '/caf\xe9.txt',
  `/${'x'.repeat(300)}`,
]) {
  test(`finds no file at ${path.slice(0, 20)}`, async () => {
    assert.equal(await outcome(path), 'absent')
    assert.equal(await outcome(path, { symlinks: 'inside' }), 'absent')
  })
}

describe('never serves', () => {
  for (const path of [
    '/.env',
    '/.git/config',
    '/sub/index.php',
    '/a.PHP',
    '/a.php~',
    '/a~',
    '/a.phps',
    '/a.phar',
    '/a.inc',
    '/a.php.bak',
    '/a.bak',
    '/a.php.swp',
    '/.a.php.swp',
    '/a.swo',
    '/a.php.old',
    '/a.php.orig',
    '/a.php.save',
    '/a.php.',
    '/a.php ',
    '/style.css.',
    '/style.css ',
    '/a.php::$DATA',
    '/style.css::$DATA',
    '/a.BAK',
  ]) {
    test(path, async () => assert.equal(await outcome(path), 'ERR_FCGI_SCRIPT_HIDDEN'))
  }
})

for (const path of ['/a.include', '/php', '/a.php.txt', '/bak', '/a.swf', '/sub.d/a.txt']) {
  test(`does not take ${path} for a script's source`, async () => assert.equal(await outcome(path), 'absent'))
}

test('has the extensions of its location', async () => {
  assert.equal(await outcome('/a.pl', { scriptExtensions: ['.pl'] }), 'ERR_FCGI_SCRIPT_HIDDEN')
  assert.equal(await outcome('/a.pl', { scriptExtensions: ['.cgi'] }), 'absent')
})

test('follows links out of the root', async () => assert.equal(await outcome('/escape.txt'), '200 content'))

describe('with symlinks inside', () => {
  const inside = { symlinks: 'inside' } as const
  test('serves files and links that stay', async () => {
    assert.equal(await outcome('/style.css', inside), '200 body {}')
    assert.equal(await outcome('/linked.css', inside), '200 body {}')
    assert.equal(await outcome('/caf\xc3\xa9.txt', inside), '200 coffee')
  })

  test('does not serve a link that leaves', async () => assert.equal(await outcome('/escape.txt', inside), 'absent'))

  test("does not serve a script's source by the name of a link", async () => {
    assert.equal(await outcome('/harmless.txt', inside), 'ERR_FCGI_SCRIPT_HIDDEN')
  })
})

test('serves over HTTP/2 too, and says so when all is sent', async () => {
  let settle: (served: boolean) => void
  const served = new Promise<boolean>((resolve) => {
    settle = resolve
  })
  const server = createHttp2Server((req, res) => {
    const [req1, res1] = [req, res] as unknown as [IncomingMessage, ServerResponse]
    serveStatic({ req: req1, res: res1, client: new ClientWatch(req1, res1) }, { location, path: '/style.css' }).then(
      settle,
    )
  })
  await using listening = await listen(server)
  const session = connectHttp2(`http://127.0.0.1:${listening.port}`)
  const stream = session.request({ ':path': '/anything' })
  stream.end()
  assert.equal(await text(stream), 'body {}')
  assert.equal(await served, true)
  session.close()
})
