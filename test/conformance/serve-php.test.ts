import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Browser } from '../support/browser.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { phpRoot } from '../support/gateway.ts'
import { ask, open, read } from '../support/http-client.ts'
import { signalProcess, startLoad } from '../support/managed.ts'
import { backend, pathOf } from '../support/require-backend.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'

const site = fileURLToPath(new URL('../../examples/site', import.meta.url))

interface Php {
  readonly label: string
  readonly description: RegExp
  /** PHP_SAPI. */
  readonly sapi: string
  readonly args: () => readonly string[]
}

const PHPS: Readonly<Record<string, Php>> = {
  'php-fpm': {
    label: 'php-fpm',
    description: /with php-fpm \(\/\S+php-fpm\S*\)\n/,
    sapi: 'fpm-fcgi',
    args: () => ['--php', pathOf('php-fpm')],
  },
  'php-cgi': {
    label: 'php-cgi',
    description: /with php-cgi \(\/\S+php-cgi\S*\)\n/,
    sapi: 'cgi-fcgi',
    args: () => ['--php', pathOf('php-cgi')],
  },
  embedded: {
    label: 'embedded PHP',
    description: /with the embedded PHP\n/,
    sapi: 'cgi-fcgi',
    args: () => ['--php', 'embedded'],
  },
}

/** A script that fails without a word to the client, and one that says it. */
const FAILING = `<?php
ini_set('display_errors', '0');
ini_set('log_errors', '1');
trigger_error('take <care>', E_USER_WARNING);
undefined_function();
`
const SPEAKING = `<?php
http_response_code(500);
echo 'a page of its own';
`
const FRONT = `<?php
echo "front page of {$_SERVER['REQUEST_URI']}\\n";
`

for (const [name, php] of Object.entries(PHPS)) {
  const suite = (): void => {
    let served: ServeProcess

    before(async () => {
      served = await startServe([site, ...php.args()])
    })
    after(() => served?.stop())

    it('says what it took, and its URL when it listens', async () => {
      assert.match(served.output(), php.description)
      assert.match(served.output(), /^http:\/\/127\.0\.0\.1:\d+\/ \(Ctrl-C ends it\)$/m)
      assert.equal((await ask(served.url)).status, 200)
    })

    it('shows the request, and logs it with method, path, status, milliseconds and backend', async () => {
      const { text } = await ask(`${served.url}/index.php/path/info?query=1`)
      assert.match(text, /<h1>PHP 8\.\S+ behind Node<\/h1>/)
      assert.ok(text.includes(`<span>${php.sapi}</span>`), text)
      assert.match(text, /<th>PATH_INFO<td>\/path\/info\n/)
      await eventually('the line', () =>
        new RegExp(`^GET /index\\.php/path/info\\?query=1 200 [\\d.]+ ms ${php.label}$`, 'm').test(served.output()),
      )
    })

    it('serves static files, and says so', async () => {
      const { status, headers } = await ask(`${served.url}/style.css`)
      assert.equal(status, 200)
      assert.match(String(headers['content-type']), /^text\/css/)
      await eventually('the line', () => /^GET \/style\.css 200 [\d.]+ ms static$/m.test(served.output()))
    })

    it('takes an upload', async () => {
      const content = Buffer.alloc(700_000, 'upload ')
      const form = new FormData()
      form.set('name', 'Ada <b>')
      form.set('file', new Blob([content]), 'a.bin')
      const { text } = await new Browser(served.url).post('/form.php', form)
      assert.match(text, /Hello, Ada &lt;b&gt;!/)
      assert.ok(text.includes(createHash('sha256').update(content).digest('hex')), text)
    })

    it('counts the visits of a session, and starts over', async () => {
      const browser = new Browser(served.url)
      const visits = (text: string): string | undefined => /<output id="visits">(\d+)</.exec(text)?.[1]
      for (const count of ['1', '2', '3']) assert.equal(visits((await browser.get('/session.php')).text), count)
      assert.equal(visits((await browser.post('/session.php', {})).text), '1')
    })

    it('passes a page on while it is made', async () => {
      const answer = await open(`${served.url}/stream.php`)
      let text = ''
      for await (const piece of answer) {
        text += String(piece)
        if (text.includes('Step 1 of 8')) break
      }
      assert.match(text, /Step 1 of 8/)
      assert.doesNotMatch(text, /Step 8 of 8/)
    })

    it('leaves nothing behind', async () => {
      assert.ok(served.processes().length > 1)
      served.kill('SIGTERM')
      assert.equal(await served.ended, 0)
      await eventually('no process is left', () => served.processes().length === 0)
      assert.deepEqual(served.files(), [])
    })
  }
  const title = `serve examples/site with ${name}`
  if (name === 'embedded') describe(title, suite)
  else backend(name as 'php-fpm' | 'php-cgi').describe(title, suite)

  const errors = (): void => {
    let tree: DocumentTree
    let served: ServeProcess

    before(async () => {
      tree = documentTree([])
      tree.write('index.php', FRONT)
      tree.write('failing.php', FAILING)
      tree.write('speaking.php', SPEAKING)
      served = await startServe([tree.root, ...php.args(), '--front-controller', '/index.php'])
    })
    after(async () => {
      await served?.stop()
      tree?.remove()
    })

    it('lets the front controller answer what is no file', async () => {
      assert.equal((await ask(`${served.url}/any/page?a=1`)).text, 'front page of /any/page?a=1\n')
    })

    it('shows what PHP wrote to STDERR in place of an empty page, escaped', async () => {
      const { status, text } = await ask(`${served.url}/failing.php`, { headers: { Accept: 'text/html' } })
      assert.equal(status, 500)
      assert.match(text, /The script failed and sent nothing/)
      assert.match(text, /PHP Warning: {2}take &lt;care&gt; in \S+failing\.php/)
      assert.match(text, /PHP Fatal error: {2}Uncaught Error: Call to undefined function undefined_function\(\)/)
    })

    it('logs it beside the request that caused it, once', async () => {
      await ask(`${served.url}/failing.php?log`)
      const lines = (text: string): readonly string[] =>
        served
          .output()
          .split('\n')
          .filter((line) => line.includes('failing.php?log') && line.includes(text))
      // The request's line and what PHP said come through two pipes: in either order.
      await eventually('the lines', () => lines(' 500 ').length > 0 && lines('PHP Fatal error:').length > 0)
      assert.equal(lines('PHP Warning:  take <care>').length, 1, served.output())
      assert.equal(lines('PHP Fatal error:').length, 1, served.output())
      assert.doesNotMatch(served.output(), /^php-fpm: PHP message/m)
    })

    it('says nothing of it to who reaches it by another name', async () => {
      const headers = { Host: 'example.org', Accept: 'text/html' }
      const { status, text } = await ask(`${served.url}/failing.php`, { headers })
      assert.deepEqual([status, text], [500, ''])
    })

    it("keeps a failing script's own page", async () => {
      const { status, text } = await ask(`${served.url}/speaking.php`, { headers: { Accept: 'text/html' } })
      assert.deepEqual([status, text], [500, 'a page of its own'])
    })
  }
  if (name === 'embedded') describe(`serve failing scripts with ${name}`, errors)
  else backend(name as 'php-fpm' | 'php-cgi').describe(`serve failing scripts with ${name}`, errors)
}

describe('serve without a PHP on the PATH', () => {
  it('takes the embedded one, and answers at once', async () => {
    await using served = await startServe([site], { environment: { PATH: '' } })
    assert.match(served.output(), /with the embedded PHP \(there is no php-fpm and no php-cgi\)\n/)
    assert.match((await ask(served.url)).text, /PHP 8\.\S+ behind Node/)
  })
})

describe('npm start', () => {
  it('builds, and serves examples/site', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    assert.equal(scripts.start, 'npm run build && node dist/cli/main.js serve examples/site')
  })
})

backend('php-fpm').describe('serve on the way out', () => {
  let served: ServeProcess

  after(() => served?.stop())

  it('finishes a running request after Ctrl-C, takes no new one, and ends', async () => {
    served = await startServe([site, '--php', pathOf('php-fpm')])
    const running = await open(`${served.url}/stream.php`)
    served.kill('SIGINT')
    await eventually('it says so', () => /^Finishing a running request \(Ctrl-C again/m.test(served.output()))
    await assert.rejects(ask(served.url), { code: 'ECONNREFUSED' })
    assert.match((await read(running)).toString(), /Step 8 of 8[\s\S]+Done after/)
    assert.equal(await served.ended, 0)
    assert.deepEqual(served.files(), [])
  })

  it('ends at once after a second Ctrl-C, with all that it has started', async () => {
    served = await startServe([site, '--php', pathOf('php-fpm')])
    const running = await open(`${served.url}/stream.php`)
    served.kill('SIGINT')
    await eventually('it says so', () => served.output().includes('Finishing a running request'))
    const cut = assert.rejects(read(running), { code: 'ECONNRESET' })
    const again = setInterval(() => served.kill('SIGINT'), 50)
    assert.equal(await served.ended.finally(() => clearInterval(again)), 130)
    await cut
    await eventually('no process is left', () => served.processes().length === 0)
    assert.deepEqual(served.files(), [])
  })

  it('leaves nothing when it is killed', async () => {
    served = await startServe([site, '--php', pathOf('php-fpm')])
    assert.equal((await ask(served.url)).status, 200)
    served.kill('SIGKILL')
    await eventually('no process is left', () => served.processes().length === 0)
    assert.deepEqual(served.files(), [])
  })
})

for (const name of ['php-fpm', 'php-cgi'] as const) {
  backend(name).describe(`serve with ${name} whose processes are killed`, () => {
    it('loses no GET under load', async () => {
      await using served = await startServe([phpRoot, '--php', pathOf(name)])
      const load = startLoad(served, '/sleep.php?ms=3', 8)
      for (let kill = 0; kill < 5; kill += 1) {
        signalProcess(Number((await ask(`${served.url}/process.php`)).text), 'SIGKILL')
        await load.round()
      }
      const answers = await load.stop()
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], served.output())
    })
  })
}
