import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { afterEach, describe, it } from 'node:test'
import express from 'express'
import { createServer, type InlineConfig, type ViteDevServer } from 'vite'
import type { FastCgiOptions } from '../../lib/index.ts'
import { createResponder } from '../../lib/responder/index.ts'
import { fastcgi, type VitePluginSettings } from '../../lib/vite/plugin.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { type Answer, ask } from '../support/http-client.ts'
import { listen } from '../support/listen.ts'
import { startFake } from '../support/responder.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** As a browser asks for a page. */
const PAGE = { headers: { 'Sec-Fetch-Dest': 'document', Accept: 'text/html' } }
/** As a script in a page asks. */
const FETCH = { headers: { 'Sec-Fetch-Dest': 'empty', Accept: '*/*' } }
const CLIENT = '\n<script type="module" src="/@vite/client"></script>\n'
const SOURCE = '<?php // a8f3-secret'

/** Answers with the variables that are told, as HTML or as ?type says. */
async function application(): Promise<string> {
  const responder = createResponder((req, res) => {
    const type = new URLSearchParams(req.params.get('QUERY_STRING')).get('type') ?? 'text/html'
    const names = ['SCRIPT_NAME', 'REQUEST_URI', 'SCRIPT_FILENAME', 'PHP_VALUE']
    res.setHeader('Content-Type', type)
    res.end(`PHP ${names.map((name) => `${name}=${req.params.get(name) ?? ''}`).join(' ')}`)
  })
  await responder.listen({ port: 0, host: '127.0.0.1' })
  cleanUps.push(() => {
    responder.closeAllConnections()
    return responder.close()
  })
  return responder.address ?? assert.fail('it does not listen')
}

function tree(): DocumentTree {
  const files = documentTree(['empty/'])
  for (const name of ['index.php', 'page.php', 'sub/index.php', 'src/secret.php']) files.write(name, SOURCE)
  files.write('src/main.js', "import './style.css'\nexport const here = true\n")
  files.write('src/style.css', 'body { color: red }')
  files.write('about.html', '<!doctype html><title>about</title>')
  files.write('public/logo.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>')
  cleanUps.push(() => files.remove())
  return files
}

interface Dev {
  readonly server: ViteDevServer
  readonly files: DocumentTree
  readonly address: string
  get(path: string, question?: { readonly headers: Record<string, string> }): Promise<Answer>
}

interface DevOptions {
  readonly php?: FastCgiOptions
  readonly settings?: VitePluginSettings
  readonly vite?: InlineConfig
}

function config(files: DocumentTree, address: string, { php, settings, vite }: DevOptions): InlineConfig {
  return {
    configFile: false,
    root: files.root,
    logLevel: 'silent',
    // A cache of its own, and nothing to look for in it.
    cacheDir: `${files.root}/.vite`,
    optimizeDeps: { noDiscovery: true, include: [] },
    plugins: [fastcgi({ server: address, ...php }, settings)],
    ...vite,
    server: { port: 0, host: '127.0.0.1', ...vite?.server },
  }
}

async function dev(options: DevOptions = {}): Promise<Dev> {
  const files = tree()
  const address = await application()
  const server = await createServer(config(files, address, options))
  cleanUps.push(() => server.close())
  await server.listen()
  const url = (): string => new URL(server.resolvedUrls?.local[0] ?? assert.fail('no URL')).origin
  return { server, files, address, get: async (path, question = PAGE) => ask(url() + path, question) }
}

describe('fastcgi() in Vite', () => {
  it('gives scripts and index files to PHP', async () => {
    const { get, files } = await dev()
    for (const [path, script] of [
      ['/', '/index.php'],
      ['/page.php', '/page.php'],
      ['/page.php/path/info?a=b', '/page.php'],
      ['/sub/', '/sub/index.php'],
    ] as const) {
      const { text, status } = await get(path)
      assert.equal(status, 200)
      assert.ok(
        text.startsWith(`PHP SCRIPT_NAME=${script} REQUEST_URI=${path} SCRIPT_FILENAME=${files.root}${script} `),
      )
    }
    assert.equal((await get('/sub')).headers.location, '/sub/')
  })

  it('leaves modules, assets, HTML pages and what nobody has to Vite', async () => {
    const { get } = await dev()
    assert.match((await get('/src/main.js', FETCH)).text, /import "\/src\/style\.css"/)
    assert.match((await get('/src/style.css?import', FETCH)).text, /__vite__updateStyle/)
    assert.match((await get('/@vite/client', FETCH)).text, /HMR/)
    assert.match((await get('/logo.svg', FETCH)).text, /^<svg/)
    assert.match((await get('/about')).text, /<title>about</)
    assert.equal((await get('/nothing')).status, 404)
  })

  it('never lets Vite send the source of a script, wherever it is and however its name is spelled', async () => {
    const { get, files } = await dev({ php: { root: 'sub' } })
    for (const path of [
      '/page.php',
      '/src/secret.php',
      '/src/secret.php?raw',
      '/src/secret.php?import&raw',
      '/src/secret.php?url',
      '/src/secret%2Ephp',
      '/src//secret.php',
      '/src/SECRET.PHP',
      '/src/secret.php.',
      '/src/secret.php%20',
      '/src/secret.php/',
      `/@fs${files.root}/src/secret.php`,
      `/@fs${files.root}/src/secret.php?import&raw`,
      `/@fs/${files.root}/./src/secret.ph%70`,
      '/@id/src/secret.php',
    ]) {
      for (const as of [PAGE, FETCH]) {
        const { status, text } = await get(path, as)
        assert.doesNotMatch(text, /a8f3/, `${path} (${status})`)
        assert.equal(status, 404, path)
      }
    }
  })

  it('gives a front controller what Vite does not have', async () => {
    const { get } = await dev({ php: { frontController: '/index.php' } })
    for (const path of ['/some/page?x=1', '/api/users', '/src/secret.inc.js', '/sub/nothing.php']) {
      for (const as of [PAGE, FETCH])
        assert.match(
          (await get(path, as)).text,
          new RegExp(`^PHP SCRIPT_NAME=/index\\.php REQUEST_URI=${path.replace('?', '\\?')} `),
        )
    }
    assert.match((await get('/about')).text, /<title>about</)
    assert.match((await get('/src/main.js', FETCH)).text, /^import /)
    assert.match((await get('/@vite/client', FETCH)).text, /HMR/)
    assert.match((await get('/logo.svg', FETCH)).text, /^<svg/)
  })

  it('leaves HTML pages to Vite where the root of PHP is another folder', async () => {
    const { get } = await dev({ php: { root: 'sub', frontController: '/index.php' } })
    assert.match((await get('/about')).text, /<title>about</)
    assert.match((await get('/about.html')).text, /<title>about</)
    assert.match((await get('/other.html')).text, /^PHP /)
  })

  it('gives one program for everything what Vite does not have', async () => {
    const { get } = await dev({ php: { match: /^/, scriptFilename: '/usr/lib/app' } })
    assert.match((await get('/any/thing', FETCH)).text, / SCRIPT_FILENAME=\/usr\/lib\/app /)
    assert.match((await get('/@vite/client', FETCH)).text, /HMR/)
  })

  it('serves static files of its root behind Vite, which transforms its own', async () => {
    const { get } = await dev({ php: { static: true } })
    assert.match((await get('/src/style.css?import', FETCH)).text, /__vite__updateStyle/)
  })

  it('keeps the fallback to index.html where the application asks for it', async () => {
    const { get, files } = await dev({ vite: { appType: 'spa' } })
    files.write('index.html', '<!doctype html><title>single</title>')
    assert.match((await get('/some/page')).text, /<title>single</)
    assert.match((await get('/page.php')).text, /^PHP /)
  })

  it('knows the base of Vite', async () => {
    const { get } = await dev({ php: { frontController: '/index.php' }, vite: { base: '/app/' } })
    assert.match((await get('/app/page.php')).text, /^PHP SCRIPT_NAME=\/app\/page\.php REQUEST_URI=\/app\/page\.php /)
    assert.match((await get('/app/any')).text, /^PHP SCRIPT_NAME=\/app\/index\.php REQUEST_URI=\/app\/any /)
    assert.match((await get('/app/')).text, /src="\/app\/@vite\/client"/)
    assert.equal((await get('/page.php')).status, 404)
  })

  for (const mount of ['', '/mount']) {
    it(`works in middleware mode under Express${mount && ' and a mount'}`, async () => {
      const files = tree()
      const address = await application()
      const vite = { base: '/app/', appType: 'custom', server: { middlewareMode: true, ws: false } } as const
      const server = await createServer(config(files, address, { php: { frontController: '/index.php' }, vite }))
      cleanUps.push(() => server.close())
      const app = express()
        .use(mount || '/', server.middlewares)
        .use((req, res) => void res.status(404).send(`Express has ${req.originalUrl} at ${req.baseUrl}.`))
      const site = await listen(createHttpServer(app))
      cleanUps.push(() => site[Symbol.asyncDispose]())
      const get = async (path: string, as = PAGE): Promise<string> =>
        (await ask(`http://127.0.0.1:${site.port}${path}`, as)).text
      assert.match(await get(`${mount}/app/page.php`), new RegExp(`^PHP SCRIPT_NAME=${mount}/app/page\\.php `))
      assert.match(await get(`${mount}/app/any`), new RegExp(`^PHP SCRIPT_NAME=${mount}/app/index\\.php `))
      assert.match(await get(`${mount}/app/@vite/client`, FETCH), /HMR/)
      assert.equal(await get('/other'), 'Express has /other at .')
    })
  }

  it('puts the client of Vite behind pages, and nowhere else', async () => {
    const { get } = await dev()
    const page = await get('/page.php')
    assert.ok(page.text.endsWith(CLIENT))
    assert.equal(page.headers['content-length'], String(page.body.length))
    assert.ok((await get('/page.php', { headers: { Accept: 'text/html' } })).text.endsWith(CLIENT))
    assert.ok((await get('/page.php?type=text/html%3Bcharset=UTF-8')).text.endsWith(CLIENT))
    for (const [path, as] of [
      ['/page.php', FETCH],
      ['/page.php?type=application/json', PAGE],
      ['/page.php', { headers: { Accept: '*/*' } }],
    ] as const) {
      const { text, headers } = await get(path, as)
      assert.doesNotMatch(text, /@vite/, path)
      assert.equal(headers['content-length'], String(text.length))
    }
  })

  it('leaves pages as they are where that is asked for', async () => {
    const { get } = await dev({ settings: { reload: false } })
    assert.doesNotMatch((await get('/page.php')).text, /@vite/)
  })

  it('reloads the pages when a script changes, comes or goes, inside of the root of Vite and outside', async () => {
    const outside = documentTree()
    cleanUps.push(() => outside.remove())
    outside.write('index.php', SOURCE)
    const { server, files } = await dev({ php: { locations: [{ root: outside.root }, { root: 'sub' }] } })
    let reloads = 0
    const { ws } = server
    ws.send = ((payload: { readonly type: string }) => {
      if (payload.type === 'full-reload') reloads += 1
    }) as typeof ws.send
    for (const [tree, name] of [
      [files, 'page.php'],
      [files, 'lib/new.php'],
      [outside, 'index.php'],
    ] as const) {
      const before = reloads
      let text = SOURCE
      await eventually(`a reload for ${name}`, () => {
        text += ' '
        tree.write(name, text)
        return reloads > before
      })
    }
  })

  it('has PHP look at its files each time, and takes the word of the options over that', async () => {
    const { get } = await dev()
    assert.match((await get('/page.php')).text, /PHP_VALUE=opcache\.revalidate_freq=0/)
    const own = await dev({ php: { params: { PHP_VALUE: 'display_errors=1' } } })
    assert.match((await own.get('/page.php')).text, /PHP_VALUE=display_errors=1/)
  })

  it('shows a failure with its detail to who asks for a page, and its status to everybody', async () => {
    const { get, files } = await dev({ php: { server: `${tree().root}/nobody.sock` } })
    const page = await get('/page.php')
    assert.equal(page.status, 502)
    assert.match(page.text, /<h1>502 Bad Gateway<.*ERR_FCGI_CONNECT.*nobody\.sock/s)
    assert.ok(page.text.endsWith(CLIENT))
    assert.equal((await get('/page.php', FETCH)).text, '502 Bad Gateway\n')
    assert.equal((await get('/%zz')).status, 400)
    assert.ok(files.root)
  })

  it('takes a configuration file, relative to the root of Vite', async () => {
    const files = tree()
    const address = await application()
    files.write(
      'conf/php.conf',
      `[FASTCGI_SERVER]\n ServerName php\n ServerAddr ${address}\n[FASTCGI_LOCATION]\n ServerNames php\n DocumentRoot ..\n`,
    )
    const server = await createServer({ ...config(files, address, {}), plugins: [fastcgi('conf/php.conf')] })
    cleanUps.push(() => server.close())
    await server.listen()
    assert.match((await ask(`${server.resolvedUrls?.local[0]}page.php`, PAGE)).text, /^PHP /)
  })

  it('says a mistake in its options before the server starts', async () => {
    const files = tree()
    await assert.rejects(createServer(config(files, '127.0.0.1:9', { php: { index: 7 as never } })), /index/)
  })

  it('closes its connections when Vite closes, and those of before when Vite restarts', async () => {
    const fake = await startFake((request) => request.answer('Content-Type: text/plain\r\n\r\nanswered'))
    cleanUps.push(() => fake.stop())
    const { server, get } = await dev({ php: { server: fake.address, keepAlive: true } })
    assert.equal((await get('/page.php')).text, 'answered')
    assert.equal(fake.connections.open, 1)
    await server.restart()
    await fake.until(() => fake.connections.open === 0)
    assert.equal((await get('/page.php')).text, 'answered')
    assert.equal(fake.connections.open, 1)
    await server.close()
    await fake.until(() => fake.connections.open === 0)
  })
})
