import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { ask } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { program, runServe, type ServeProcess, startServe } from '../support/serve-process.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** Nothing listens there. */
const NOBODY = '/run/nobody/at-all.sock'

const HTML = { headers: { Accept: 'text/html,*/*' } }

describe('serve without a backend', () => {
  let tree: DocumentTree
  let served: ServeProcess

  before(async () => {
    tree = documentTree(['.hidden', 'index.php', 'style.css', 'sub/index.html', 'empty/'])
    served = await startServe([tree.root, '--server', NOBODY])
  })
  after(async () => {
    await served?.stop()
    tree?.remove()
  })

  it('serves files and a directory by its index.html', async () => {
    assert.equal((await ask(`${served.url}/style.css`)).text, 'content')
    assert.equal((await ask(`${served.url}/sub/`)).text, 'content')
    assert.equal((await ask(`${served.url}/sub`)).headers.location, '/sub/')
  })

  it('explains what is not there, to a browser in HTML, escaped', async () => {
    const { status, text, headers } = await ask(served.url, { path: `/<b>?'"&`, ...HTML })
    assert.equal(status, 404)
    assert.match(String(headers['content-type']), /^text\/html/)
    assert.equal(headers['content-security-policy'], "default-src 'none'; style-src 'unsafe-inline'")
    assert.ok(
      text.includes(`&lt;b&gt;?&#39;&quot;&amp; is no file, no script and no directory with an index in ${tree.root}.`),
    )
    assert.match(text, /start with --front-controller \/index\.php/)
  })

  it('explains it in plain text to whoever asks for no HTML', async () => {
    const { status, text, headers } = await ask(`${served.url}/nothing`)
    assert.equal(status, 404)
    assert.match(String(headers['content-type']), /^text\/plain/)
    assert.match(text, /^404 Not Found\nThere is nothing here\n\/nothing is no file/)
    assert.equal((await ask(`${served.url}/nothing`, { method: 'HEAD' })).text, '')
  })

  it('sends no dotfile', async () => {
    assert.equal((await ask(`${served.url}/.hidden`)).status, 404)
  })

  it('tells what happened and what mends it, on the page and in the log', async () => {
    const { status, text } = await ask(`${served.url}/index.php`, HTML)
    assert.equal(status, 502)
    assert.match(text, /The FastCGI backend cannot be reached/)
    assert.match(text, /No socket \/run\/nobody\/at-all\.sock: start the backend/)
    assert.match(text, /ERR_FCGI_CONNECT/)
    await eventually('the lines', () => /^GET \/index\.php 502 [\d.]+ ms /m.test(served.output()))
    assert.match(served.output(), /^GET \/index\.php: 502 ERR_FCGI_CONNECT: No socket/m)
  })

  it('takes a body to the end of its page', async () => {
    const { status } = await ask(`${served.url}/index.php`, { method: 'POST', body: Buffer.alloc(5_000_000) })
    assert.equal(status, 502)
  })

  it('keeps the details from who reaches it by another name', async () => {
    for (const [path, status] of [
      ['/index.php', 502],
      ['/nothing', 404],
    ] as const) {
      for (const host of ['example.org', '127.0.0.1.example.org', 'localhost.example.org:80']) {
        const answer = await ask(served.url + path, { headers: { Host: host, ...HTML.headers } })
        assert.equal(answer.status, status)
        assert.doesNotMatch(answer.text, /nobody|ERR_FCGI|front-controller|is no file/)
      }
      for (const host of ['localhost', 'site.localhost:8080', '127.8.9.1:80', '[::1]:80']) {
        const answer = await ask(served.url + path, { headers: { Host: host, ...HTML.headers } })
        assert.match(answer.text, /ERR_FCGI_CONNECT|is no file/, host)
      }
    }
  })

  it('writes no colours where no terminal is', () => {
    assert.ok(!served.output().includes('\x1b'))
  })
})

describe('serve where others can connect', () => {
  it('shows no details, whoever asks', async () => {
    const tree = documentTree(['index.php'])
    await using served = await startServe([tree.root, '--server', NOBODY, '--host', '0.0.0.0'])
    assert.match(served.url, /^http:\/\/localhost:\d+$/)
    for (const [path, status] of [
      ['/index.php', 502],
      ['/nothing', 404],
    ] as const) {
      const answer = await ask(served.url.replace('localhost', '127.0.0.1') + path, HTML)
      assert.equal(answer.status, status)
      assert.doesNotMatch(answer.text, /nobody|ERR_FCGI|front-controller|is no file/)
    }
    assert.match(served.output(), /ERR_FCGI_CONNECT: No socket/)
    tree.remove()
  })
})

describe('serve with a configuration file', () => {
  let tree: DocumentTree

  before(() => {
    tree = documentTree(['public/index.php', 'public/style.css', 'other/style.css', 'broken.conf'])
    const server = `[FASTCGI_SERVER]\n\tServerName php\n\tServerPath ${NOBODY}\n`
    tree.write('fastcgi.conf', `${server}[FASTCGI_LOCATION]\n\tServerNames php\n\tDocumentRoot public\n`)
    tree.write('rootless.conf', `${server}[FASTCGI_LOCATION]\n\tLocationName blog\n\tServerNames php\n`)
  })
  after(() => tree.remove())

  it('serves the root in the file', async () => {
    await using served = await startServe(['--config', `${tree.root}/fastcgi.conf`])
    assert.match(served.output(), /with the servers of \S+fastcgi\.conf\n/)
    assert.equal((await ask(`${served.url}/style.css`)).status, 200)
    assert.equal((await ask(`${served.url}/index.php`)).status, 502)
  })

  it('serves ROOT where the file has none, and logs the location', async () => {
    await using served = await startServe(['--config', `${tree.root}/rootless.conf`, `${tree.root}/public`])
    assert.equal((await ask(`${served.url}/style.css`)).status, 200)
    assert.equal((await ask(`${served.url}/index.php`)).status, 502)
    await eventually('the line', () => /^GET \/index\.php 502 [\d.]+ ms blog$/m.test(served.output()))
  })

  it('says every mistake in the file', async () => {
    const { code, output } = await runServe(['--config', `${tree.root}/broken.conf`])
    assert.match(output, /^express-fastcgi: \S+broken\.conf:1: /)
    assert.equal(code, 1)
  })
})

describe('serve that cannot', () => {
  let tree: DocumentTree

  before(() => {
    tree = documentTree(['index.php'])
  })
  after(() => tree.remove())

  for (const workers of ['1', '2']) {
    it(`says that its port is taken, with ${workers} worker(s)`, async () => {
      await using taken = await listen(createServer())
      const args = [tree.root, '--server', NOBODY, '--port', String(taken.port), '--workers', workers]
      const { code, output } = await runServe(args)
      assert.equal(
        output,
        `express-fastcgi: Port ${taken.port} of 127.0.0.1 is taken: end what listens there, or choose another with --port\n`,
      )
      assert.equal(code, 1)
    })
  }

  for (const [args, message] of [
    [['/no/such/root'], /^express-fastcgi: There is no directory \/no\/such\/root: [^\n]+\n$/],
    [['--front-controller', '/no.php'], /^express-fastcgi: There is no \S+no\.php: [^\n]+\n$/],
    [['--php', 'no-such-php'], /^express-fastcgi: There is no program no-such-php that may be run\n$/],
    [['--php', process.execPath], /^express-fastcgi: \S+ is neither a php-fpm nor a php-cgi by its name[^\n]+\n$/],
    [
      ['--host', '192.0.2.1', '--server', NOBODY],
      /^express-fastcgi: 192\.0\.2\.1 is no address of this machine[^\n]+\n$/,
    ],
    [['--config', '/no/such.conf'], /^express-fastcgi: \/no\/such\.conf: [^\n]+\n$/],
  ] as const) {
    it(`says in one line why, and exits with 1: ${args.join(' ')}`, async () => {
      const { code, output } = await runServe(args, { cwd: tree.root })
      assert.match(output, message)
      assert.equal(code, 1)
    })
  }

  for (const [args, message] of [
    [['--port', '65536'], /--port takes a whole number from 0 to 65535, found "65536"/],
    [['--workers', '0'], /--workers takes a whole number from 1 to 1024, found "0"/],
    [['--root', 'x'], /--root/],
    [['a', 'b'], /there is no place for b: give one ROOT/],
    [['--server', 'a:1', '--php', 'x'], /give one of --server and --php/],
    [['--server', 'nowhere'], /"nowhere".*give host:port/],
    [['--host', ''], /--host is empty/],
  ] as const) {
    it(`exits with 2: ${args.join(' ')}`, async () => {
      const { code, output } = await runServe(args, { cwd: tree.root })
      assert.match(output, message)
      assert.equal(code, 2)
    })
  }
})

describe('serve on a machine without PHP', () => {
  let directory: PrivateDirectory

  before(() => {
    directory = privateDirectory('bare')
    cpSync(dirname(dirname(program)), join(directory.path, 'dist'), { recursive: true })
    cpSync(join(repository, 'package.json'), join(directory.path, 'package.json'))
    mkdirSync(join(directory.path, 'node_modules'))
    const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    for (const name of Object.keys(dependencies)) {
      symlinkSync(join(repository, 'node_modules', name), join(directory.path, 'node_modules', name))
    }
  })
  after(() => directory.remove())

  it('says how to get one', async () => {
    const main = join(directory.path, 'dist/cli/main.js')
    const { code, output } = await runServe([], { main, cwd: directory.path, environment: { PATH: '' } })
    assert.match(
      output,
      /^express-fastcgi: There is no PHP here: install php-fpm or php-cgi [^\n]+ \(npm install [^\n]+\)\n$/,
    )
    assert.equal(code, 1)
  })
})

describe('serve --open', () => {
  let directory: PrivateDirectory
  let tree: DocumentTree

  before(() => {
    directory = privateDirectory('open')
    tree = documentTree(['index.html'])
  })
  after(() => {
    directory.remove()
    tree.remove()
  })

  it('opens the URL, without a shell', { skip: process.platform !== 'linux' && 'xdg-open is Linux' }, async () => {
    const opened = join(directory.path, 'opened')
    const opener = join(directory.path, 'xdg-open')
    writeFileSync(opener, `#!/bin/sh\nprintf '%s ' "$#" "$@" >${opened}.new\nmv ${opened}.new ${opened}\n`)
    chmodSync(opener, 0o755)
    const environment = { PATH: `${directory.path}:${process.env.PATH}` }
    await using served = await startServe([tree.root, '--server', NOBODY, '--open'], { environment })
    await eventually('it is opened', () => readOrNothing(opened) === `1 ${served.url}/ `)
  })

  it('only warns where there is no browser', async () => {
    const environment = { PATH: '' }
    await using served = await startServe([tree.root, '--server', NOBODY, '--open'], { environment })
    await eventually('it warns', () => /^No browser was opened: /m.test(served.output()))
    assert.equal((await ask(served.url)).text, 'content')
  })
})

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It is not there yet.
    return ''
  }
}
