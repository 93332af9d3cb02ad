import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Backend } from './support/backend.ts'
import { ask, open, read } from './support/http-client.ts'
import { startPhpFpm } from './support/php-fpm.ts'
import { privateDirectory } from './support/private-directory.ts'
import { backend, pathOf } from './support/require-backend.ts'
import { type ServingProcess, startServing } from './support/serving-process.ts'

const folder = fileURLToPath(new URL('../examples/', import.meta.url))

/** Each page of an example, and what must be in it. */
const PAGES: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  minimal: { '/': /PHP 8.+behind Node/, '/index.php/path/info?query=1': /<th>PATH_INFO<td>\/path\/info\n/ },
  'config-file': { '/index.php': /<th>SCRIPT_NAME<td>\/index\.php\n/ },
  'static-and-php': { '/form.php': /multipart\/form-data/, '/style.css': /^body \{/ },
  'front-controller': { '/hello/world': /^Hello, world!\n$/, '/': /^There is no page \/\n$/ },
  mounted: { '/app/index.php?a=1': /<th>REQUEST_URI<td>\/app\/index\.php\?a=1\n/, '/app/style.css': /^body \{/ },
  connect: { '/': /behind Node/, '/style.css': /^body \{/ },
  'plain-http': { '/': /behind Node/, '/style.css': /^body \{/, '/nothing': /404 Not Found/ },
  'in-front-of-express': { '/index.php': /behind Node/, '/node': /^This is Express\n$/ },
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
    assert.deepEqual(names.sort(), [...Object.keys(PAGES), 'start'].map((name) => `${name}.mjs`).sort())
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
    const running = await open(`${url}/slow.php`)
    kill('SIGTERM')
    assert.equal((await read(running)).toString(), 'begun\ndone\n')
    assert.equal(await ended, 0)
    assert.match(output(), /every request is answered/)
    await assert.rejects(ask(url), { code: 'ECONNREFUSED' })
  })
})

describe('npm start', () => {
  const script = `${folder}start.mjs`

  it('is the example and the build before it', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    assert.equal(scripts.start, 'npm run build && node examples/start.mjs')
  })

  it('says in one line that there is no PHP', async () => {
    await assert.rejects(startServing(script, { environment: { PHP_PATH: folder } }), (error: Error) => {
      assert.match(
        error.message,
        /^it ended \(1\) without a URL:\nNo PHP here: install php-fpm .+ then run npm start again\n$/,
      )
      return true
    })
  })

  for (const name of ['php-fpm', 'php-cgi'] as const) {
    backend(name).describe(`npm start with ${name} alone`, () => {
      it('serves the site, says what it took, and leaves nothing behind', async () => {
        const directory = privateDirectory('start')
        symlinkSync(pathOf(name), join(directory.path, name))
        const environment = { PHP_PATH: directory.path, TMPDIR: directory.path }
        const php = await startServing(script, { environment })
        assert.match(php.output(), new RegExp(`/${name} serves http://127\\.0\\.0\\.1:\\d+/`))
        assert.match((await ask(`${php.url}/`)).text, name === 'php-fpm' ? /<code>fpm-fcgi/ : /<code>cgi-fcgi/)
        assert.match((await ask(`${php.url}/style.css`)).text, /^body \{/)
        assert.notDeepEqual(processesNaming(directory.path), [])
        await php.stop()
        assert.deepEqual(processesNaming(directory.path), [])
        assert.deepEqual(readdirSync(directory.path), [name])
        directory.remove()
      })
    })
  }
})

/** The processes in whose command line a text stands, but for the watchdog of the directory itself. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine)
    .filter((line) => line.includes(text) && !line.includes('watchdog'))
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    // It ended while we looked.
    return ''
  }
}
