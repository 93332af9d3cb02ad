import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Backend } from './support/backend.ts'
import { ask, open, read } from './support/http-client.ts'
import { startPhpFpm } from './support/php-fpm.ts'
import { backend } from './support/require-backend.ts'
import { type ServingProcess, startServing } from './support/serving-process.ts'

const folder = fileURLToPath(new URL('../examples/', import.meta.url))

/** Each page of an example, and what must be in it. */
const PAGES: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  minimal: { '/': /PHP 8.+behind Node/, '/index.php/path/info?query=1': /<th>PATH_INFO<td>\/path\/info\n/ },
  'config-file': { '/index.php': /<th>SCRIPT_NAME<td>\/index\.php\n/ },
  'static-and-php': { '/form.php': /multipart\/form-data/, '/style.css': /^:root \{/ },
  'front-controller': { '/hello/world': /^Hello, world!\n$/, '/': /^There is no page \/\n$/ },
  mounted: { '/app/index.php?a=1': /<th>REQUEST_URI<td>\/app\/index\.php\?a=1\n/, '/app/style.css': /^:root \{/ },
  connect: { '/': /behind Node/, '/style.css': /^:root \{/ },
  'plain-http': { '/': /behind Node/, '/style.css': /^:root \{/, '/nothing': /404 Not Found/ },
  'in-front-of-express': { '/index.php': /behind Node/, '/node': /^This is Express\n$/ },
  responder: { '/greeter?name=Ada': /^Hello, Ada!\nYou sent 0 bytes with GET\.\n$/ },
  status: { '/status': /<main data-status="up">/, '/status?format=json': /"state":"up"/, '/': /behind Node/ },
  opentelemetry: { '/index.php': /<th>HTTP_TRACEPARENT<td>00-[0-9a-f]{32}-[0-9a-f]{16}-01\n/ },
  'graceful-shutdown': { '/': /behind Node/ },
}

backend('php-fpm').describe('the examples', () => {
  let fpm: Backend
  let example: ServingProcess | null = null

  before(async () => {
    fpm = await startPhpFpm()
  })
  after(async () => {
    await example?.stop()
    await fpm.stop()
  })

  async function start(name: string): Promise<ServingProcess> {
    await example?.stop()
    example = await startServing(`${folder}${name}.mjs`, { environment: { FASTCGI_SERVER: fpm.address } })
    return example
  }

  it('are all in this test', () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.mjs'))
    assert.deepEqual(
      names.sort(),
      Object.keys(PAGES)
        .map((name) => `${name}.mjs`)
        .sort(),
    )
  })

  for (const [name, pages] of Object.entries(PAGES)) {
    it(`${name} starts and answers`, async () => {
      const { url } = await start(name)
      for (const [path, content] of Object.entries(pages)) assert.match((await ask(url + path)).text, content)
    })
  }

  it('mounted redirects a directory without its slash to the mount', async () => {
    const { url } = await start('mounted')
    const answer = await ask(`${url}/app`)
    assert.equal(answer.status, 301)
    assert.equal(answer.headers.location, '/app/')
  })

  it('static-and-php never sends the source of a script, however its name is spelled', async () => {
    const { url } = await start('static-and-php')
    for (const path of [
      '/index.php',
      '/index%2Ephp',
      '//index.php',
      '/./index.php',
      '/index.ph%70',
      '/x/..//form.php',
    ]) {
      const { status, text } = await ask(url + path)
      assert.doesNotMatch(text, /<\?php/, `${path} (${status})`)
    }
  })

  it('form.php takes an upload', async () => {
    const { url } = await start('minimal')
    const form = new FormData()
    const content = Buffer.alloc(300_000, 'upload ')
    form.set('name', 'Ada <b>')
    form.set('file', new Blob([content]), 'a.bin')
    const answer = await fetch(`${url}/form.php`, { method: 'POST', body: form })
    const page = await answer.text()
    assert.match(page, /Hello, Ada &lt;b&gt;!/)
    assert.ok(page.includes(createHash('sha256').update(content).digest('hex')), page)
  })

  it('in-front-of-express answers with the status of a failure', async () => {
    const gateway = await startServing(`${folder}in-front-of-express.mjs`, {
      environment: { FASTCGI_SERVER: `${fpm.directory}/nobody.sock` },
    })
    try {
      assert.equal((await ask(`${gateway.url}/index.php`)).status, 502)
      assert.equal((await ask(`${gateway.url}/node`)).status, 200)
    } finally {
      await gateway.stop()
    }
  })

  it('graceful-shutdown finishes a running request, takes no new one and ends by itself', async () => {
    const { url, kill, ended, output } = await start('graceful-shutdown')
    const running = await open(`${url}/stream.php`)
    kill('SIGTERM')
    assert.match((await read(running)).toString(), /Step 8 of 8[\s\S]+Done after/)
    assert.equal(await ended, 0)
    assert.match(output(), /every request is answered/)
    await assert.rejects(ask(url), { code: 'ECONNREFUSED' })
  })
})
