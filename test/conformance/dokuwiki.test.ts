import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { type Application, dokuWiki } from '../support/applications.ts'
import { Browser, hiddenFields } from '../support/browser.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'

for (const keepAlive of [false, true]) {
  backend('php-fpm', 'php-xml', 'php-mbstring', 'dokuwiki').describe(
    `DokuWiki under php-fpm, keepAlive ${keepAlive ? 'on' : 'off'}`,
    () => {
      let wiki: Application
      let fpm: PhpFpm
      let gateway: Gateway
      let visitor: Browser
      let keeper: Browser

      before(async () => {
        wiki = dokuWiki()
        fpm = await startPhpFpm()
        gateway = await serve({
          root: wiki.root,
          server: fpm.address,
          index: ['index.php', 'doku.php'],
          static: true,
          keepAlive,
        })
        visitor = new Browser(gateway.url)
        keeper = new Browser(gateway.url)
      })
      after(async () => {
        await gateway?.close()
        await fpm?.stop()
        wiki?.remove()
      })

      it('shows its start page by way of the index', async () => {
        const page = await visitor.get('/')
        assert.equal(page.status, 200)
        assert.match(page.text, /<title>start \[The wiki of the tests\]<\/title>/)
        assert.match(page.url, /\/doku\.php/)
      })

      it('sends the style sheet and the script that PHP makes, and a file of the template', async () => {
        const page = await visitor.get('/doku.php')
        const links = [...page.text.matchAll(/(?:href|src)="(\/lib\/[^"]+)"/g)].map((match) =>
          String(match[1]).replaceAll('&amp;', '&'),
        )
        assert.ok(links.some((link) => link.includes('/css.php')))
        for (const link of links) {
          const asset = await visitor.get(link)
          assert.equal(asset.status, 200, link)
          assert.ok(asset.body.length > 0, link)
        }
      })

      it('lets nobody edit who has not logged in', async () => {
        const page = await visitor.get('/doku.php?id=test:page&do=edit')
        assert.doesNotMatch(page.text, /name="do\[save\]"/)
      })

      it('refuses a wrong password and takes the right one', async () => {
        const form = await keeper.get('/doku.php?id=start&do=login')
        const fields = { ...hiddenFields(form.text), u: wiki.user }
        const refused = await keeper.post('/doku.php?id=start', { ...fields, p: 'wrong' })
        assert.doesNotMatch(refused.text, /do=logout/)
        const page = await keeper.post('/doku.php?id=start', { ...fields, p: wiki.password })
        assert.equal(page.status, 200)
        assert.match(page.text, /do=logout/)
        assert.match(page.text, /The Keeper/)
      })

      it('saves a page and shows it to everybody', async () => {
        const text = `====== Größe ======\n\nA page with **bold** words, ${'many words '.repeat(20_000)}and an end.\n`
        const form = await keeper.get('/doku.php?id=test:page&do=edit')
        assert.match(form.text, /name="do\[save\]"/)
        const saved = await keeper.post('/doku.php?id=test:page', {
          ...hiddenFields(form.text),
          wikitext: text,
          summary: 'by a test',
          'do[save]': '1',
        })
        assert.equal(saved.status, 200)
        const shown = await visitor.get('/doku.php?id=test:page')
        assert.match(shown.text, /<strong>bold<\/strong>/)
        assert.match(shown.text, /Größe/)
        const raw = await visitor.get('/doku.php?id=test:page&do=export_raw')
        assert.equal(raw.text.trim(), text.trim())
        assert.match(String(raw.headers.get('content-type')), /^text\/plain/)
      })

      it('takes an upload and gives the same bytes back, whole, in part, and not again', async () => {
        const picture = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), randomBytes(2_000_000)])
        const manager = await keeper.get('/lib/exe/mediamanager.php?ns=test')
        const form = new FormData()
        form.set('call', 'mediaupload')
        form.set('sectok', String(hiddenFields(manager.text).sectok))
        form.set('ns', 'test')
        form.set('mediaid', 'picture.bin.zip')
        form.set('qqfile', new Blob([picture]), 'picture.zip')
        const uploaded = await keeper.post('/lib/exe/ajax.php', form)
        assert.equal(uploaded.status, 200)
        assert.equal(JSON.parse(uploaded.text).success, true, uploaded.text)
        const path = `/lib/exe/fetch.php?media=${encodeURIComponent(JSON.parse(uploaded.text).id)}`
        const fetched = await visitor.get(path)
        assert.equal(fetched.status, 200)
        assert.deepEqual(fetched.body, picture)
        const part = await visitor.get(path, { Range: 'bytes=1000-1999' })
        assert.equal(part.status, 206)
        assert.deepEqual(part.body, picture.subarray(1000, 2000))
        const again = await visitor.get(path, { 'If-None-Match': String(fetched.headers.get('etag')) })
        assert.equal(again.status, 304)
        assert.equal(again.body.length, 0)
      })

      it('is searched and listed', async () => {
        const index = await visitor.get('/doku.php?id=start&do=index')
        assert.match(index.text, /idx=test/)
        const feed = await visitor.get('/feed.php')
        assert.match(feed.text, /test:page/)
      })

      it('never shows the source or the result of its configuration', async () => {
        for (const path of [
          '/conf/users.auth.php',
          '/conf/local.php',
          '/conf/users.auth.php~',
          '/conf%2fusers.auth.php',
        ]) {
          const answer = await ask(`${gateway.url}${path}`)
          assert.doesNotMatch(answer.text, /\$2y\$|\$conf/, path)
        }
      })

      it('logs the keeper out', async () => {
        const form = await keeper.get('/doku.php?id=start')
        const token = /do=logout&amp;sectok=([0-9a-f]+)/.exec(form.text)?.[1]
        const page = await keeper.get(`/doku.php?id=start&do=logout&sectok=${token}`)
        assert.doesNotMatch(page.text, /do=logout/)
      })
    },
  )
}
