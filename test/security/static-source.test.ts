import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { ClientWatch } from '../../lib/http/client-watch.ts'
import { requestFacts } from '../../lib/http/request/request-facts.ts'
import { Resolver } from '../../lib/http/resolution/resolution.ts'
import { serveStatic } from '../../lib/http/resolution/static-file.ts'
import { documentTree } from '../support/document-tree.ts'
import { phpLocation } from '../support/facts.ts'
import { type Listening, listen } from '../support/listen.ts'

// With Static on, what lies beside the scripts is served, but never what holds secrets: dotfiles (CVE-2018-3712 and many a
// leaked .git), editors' copies of scripts, and libraries that PHP includes.

const SECRET = 'top secret'
const names = [
  ...[
    '.env',
    '.git/config',
    'sub/.htpasswd',
    '.well-known/x',
    'config.php~',
    'config.php.bak',
    'config.inc',
    'lib.phar',
  ],
  ...['.config.php.swp', 'config.php.swp', 'config.phps', 'UPPER.PHP', 'config.php.old', 'trailing.php.', 'space.php '],
]
const tree = documentTree()
for (const name of [...names, 'config.php']) tree.write(name, SECRET)
tree.write('style.css', 'body {}')

let listening: Listening
before(async () => {
  const location = phpLocation(tree.root, { static: true })
  const resolver = new Resolver([location])
  const server = createServer((req, res) => {
    const serve = async (): Promise<void> => {
      const resolution = await resolver.resolve(requestFacts(req, null))
      if (resolution.kind !== 'static') return void res.end(resolution.kind)
      const served = await serveStatic(
        { req, res, client: new ClientWatch(req, res) },
        { ...resolution, location: { ...location, root: tree.root } },
      )
      if (!served) res.end('absent')
    }
    serve().catch((error: { code: string; status: number }) => res.writeHead(error.status).end(error.code))
  })
  listening = await listen(server)
})
after(async () => {
  await listening[Symbol.asyncDispose]()
  tree.remove()
})

async function get(path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${listening.port}${path}`)
  return { status: response.status, body: await response.text() }
}

for (const name of names) {
  const path = `/${name.split('/').map(encodeURIComponent).join('/')}`
  for (const spelling of [path, path.replaceAll('.', '%2e'), `/${path}`]) {
    test(`refuses ${spelling} as if it were not there`, async () => {
      assert.deepEqual(await get(spelling), { status: 404, body: 'ERR_FCGI_SCRIPT_HIDDEN' })
    })
  }
}

test('serves what is no secret', async () =>
  assert.deepEqual(await get('/style.css'), { status: 200, body: 'body {}' }))

test('runs the script itself', async () => assert.deepEqual(await get('/config.php'), { status: 200, body: 'script' }))
