import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { createServer } from 'vite'
import { fastcgi } from '../../lib/index.ts'
import { fastcgi as fastcgiInVite } from '../../lib/vite/plugin.ts'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listen.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { backend } from '../support/require-backend.ts'

const site = fileURLToPath(new URL('../../examples/site', import.meta.url))

/** Sends its end when a file `go` is there. */
const HELD_PAGE = `<!doctype html><title>held</title><p id="first">begun</p>
<?php
flush();
while (!file_exists(__DIR__ . '/go')) {
    usleep(10_000);
    clearstatcache();
}
?>
<p id="last">done</p>
`

const LONG_AGO = new Date('2001-01-01')

/** A host that serves a folder with PHP. */
interface Host {
  readonly url: string
  close(): Promise<unknown>
}

const HOSTS: Readonly<Record<string, (root: string, server: string) => Promise<Host>>> = {
  async Express(root, server) {
    const php = fastcgi({ root, server })
    const app = express().use(php).use(express.static(root))
    const listening = await listen(createHttpServer(app))
    return {
      url: `http://127.0.0.1:${listening.port}`,
      close: () => Promise.all([listening[Symbol.asyncDispose](), php.close()]),
    }
  },
  async 'vite dev'(root, server) {
    const vite = await createServer({
      configFile: false,
      root,
      logLevel: 'error',
      cacheDir: join(root, '.vite'),
      plugins: [fastcgiInVite({ server })],
      build: { rolldownOptions: { input: 'index.php' } },
      server: { port: 0, host: '127.0.0.1' },
    })
    await vite.listen()
    return { url: new URL(vite.resolvedUrls?.local[0] ?? '').origin, close: () => vite.close() }
  },
}

for (const [name, start] of Object.entries(HOSTS)) {
  backend('php-fpm', 'chromium').describe(`examples/site in a browser, served by ${name}`, () => {
    let fpm: PhpFpm
    let directory: PrivateDirectory
    let chromium: Chromium
    let host: Host

    before(async () => {
      fpm = await startPhpFpm({ ini: { 'opcache.enable': '1' } })
      directory = privateDirectory('site')
      cpSync(site, directory.path, { recursive: true })
      // opcache does not keep files that are younger than 2 s.
      utimesSync(join(directory.path, 'index.php'), LONG_AGO, LONG_AGO)
      host = await start(directory.path, fpm.address)
      chromium = await startChromium()
    })
    after(async () => {
      await chromium?.close()
      await host?.close()
      directory?.remove()
      await fpm?.stop()
    })

    it('shows the page with its styles, and without a failure', async () => {
      const { page, failures } = await chromium.open()
      assert.equal((await page.goto(`${host.url}/`))?.status(), 200)
      assert.match(await page.title(), /^PHP 8.* behind Node$/)
      assert.match((await page.textContent('main')) ?? '', /express-fastcgi\/\d/)
      await page.waitForFunction('getComputedStyle(document.querySelector(".way")).display !== "block"')
      await page.screenshot({ path: join(process.env.SCREENSHOTS ?? directory.path, `${name}.png`) })
      await page.click('main p a')
      assert.match((await page.textContent('table')) ?? '', /PATH_INFO\s*\/path\/info/)
      assert.deepEqual(failures, [])
      await page.close()
    })

    it('posts a form', async () => {
      const { page } = await chromium.open()
      await page.goto(`${host.url}/form.php`)
      await page.fill('#name', 'Ada & <b>Lövelace</b>')
      await page.click('form button')
      await page.waitForSelector('.answer')
      assert.equal(await page.textContent('.answer'), 'Hello, Ada & <b>Lövelace</b>!')
      await page.close()
    })

    it('uploads a file', async () => {
      const { page } = await chromium.open()
      await page.goto(`${host.url}/form.php`)
      const buffer = randomBytes(1_500_000)
      await page.setInputFiles('#file', { name: 'ä b.bin', mimeType: 'application/octet-stream', buffer })
      await page.click('form button')
      await page.waitForSelector('#sha256')
      assert.match((await page.textContent('.answer')) ?? '', /ä b\.bin[\s\S]*1,500,000 bytes/)
      assert.equal(await page.textContent('#sha256'), createHash('sha256').update(buffer).digest('hex'))
      await page.close()
    })

    it('counts the session up with each reload, and starts over', async () => {
      const { page } = await chromium.open()
      await page.goto(`${host.url}/session.php`)
      for (const visits of ['1', '2', '3']) {
        assert.equal(await page.textContent('#visits'), visits)
        await page.reload()
      }
      await page.click('form button')
      await page.waitForFunction('document.querySelector("#visits").textContent === "1"')
      assert.equal(page.url(), `${host.url}/session.php`)
      await page.close()
    })

    it('shows a streamed page while it comes', async () => {
      const { page } = await chromium.open()
      writeFileSync(join(directory.path, 'held.php'), HELD_PAGE)
      const opened = page.goto(`${host.url}/held.php`)
      await page.waitForSelector('#first')
      assert.equal(await page.evaluate('document.querySelector("#last")'), null)
      writeFileSync(join(directory.path, 'go'), '')
      await opened
      await page.waitForSelector('#last')
      await page.close()
    })

    if (name !== 'vite dev') return

    it('reloads the page by itself when its script changes, with what it says now', async () => {
      const { page, messages } = await chromium.open()
      const file = join(directory.path, 'index.php')
      const source = readFileSync(file, 'utf8')
      await page.goto(`${host.url}/`)
      for (const [index, title] of ['Changed once', 'Changed twice', 'Changed again'].entries()) {
        // Nobody tells a page of what happened before its client was connected.
        await eventually('the client of Vite is connected', () => {
          return messages.filter((message) => message === '[vite] connected.').length > index
        })
        writeFileSync(file, source.replace(/begin_page\(.*\);/, `begin_page('${title}');`))
        await page.waitForFunction(`document.querySelector("h1")?.textContent === "${title}"`)
      }
      await page.close()
    })
  })
}
