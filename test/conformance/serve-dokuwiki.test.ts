import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { type Application, dokuWiki } from '../support/applications.ts'
import { Browser, hiddenFields } from '../support/browser.ts'
import { ask } from '../support/http-client.ts'
import { backend, pathOf } from '../support/require-backend.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'

for (const php of ['php-fpm', 'php-cgi'] as const) {
  backend(php, 'php-xml', 'php-mbstring', 'dokuwiki').describe(`DokuWiki under serve with ${php}`, () => {
    let wiki: Application
    let served: ServeProcess
    let visitor: Browser
    let keeper: Browser

    before(async () => {
      wiki = dokuWiki()
      served = await startServe([wiki.root, '--php', pathOf(php)])
      visitor = new Browser(served.url)
      keeper = new Browser(served.url)
    })
    after(async () => {
      await served?.stop()
      wiki?.remove()
    })

    it('shows its start page by way of the index, with all that belongs to it', async () => {
      const page = await visitor.get('/')
      assert.equal(page.status, 200)
      assert.match(page.text, /<title>start \[The wiki of the tests\]<\/title>/)
      const links = [...page.text.matchAll(/(?:href|src)="(\/lib\/[^"]+)"/g)].map(([, link = '']) =>
        link.replaceAll('&amp;', '&'),
      )
      assert.ok(links.length > 3)
      for (const link of links) assert.equal((await visitor.get(link)).status, 200, link)
    })

    it('lets the keeper log in, save a page and upload a file, and shows both to everybody', async () => {
      const login = await keeper.get('/doku.php?id=start&do=login')
      const fields = { ...hiddenFields(login.text), u: wiki.user, p: wiki.password }
      assert.match((await keeper.post('/doku.php?id=start', fields)).text, /do=logout/)
      const form = await keeper.get('/doku.php?id=test:page&do=edit')
      const edited = { ...hiddenFields(form.text), wikitext: 'A **bold** page.', 'do[save]': '1' }
      assert.equal((await keeper.post('/doku.php?id=test:page', edited)).status, 200)
      assert.match((await visitor.get('/doku.php?id=test:page')).text, /<strong>bold<\/strong>/)
      const content = randomBytes(500_000)
      const manager = await keeper.get('/lib/exe/mediamanager.php?ns=test')
      const upload = new FormData()
      upload.set('call', 'mediaupload')
      upload.set('sectok', String(hiddenFields(manager.text).sectok))
      upload.set('ns', 'test')
      upload.set('mediaid', 'file.zip')
      upload.set('qqfile', new Blob([content]), 'file.zip')
      const { text } = await keeper.post('/lib/exe/ajax.php', upload)
      assert.equal(JSON.parse(text).success, true, text)
      const media = await visitor.get(`/lib/exe/fetch.php?media=${encodeURIComponent(JSON.parse(text).id)}`)
      assert.deepEqual(media.body, content)
    })

    it('never shows its configuration', async () => {
      for (const path of ['/conf/users.auth.php', '/conf/local.php', '/conf/users.auth.php~']) {
        assert.doesNotMatch((await ask(served.url + path)).text, /\$2y\$|\$conf/, path)
      }
    })
  })
}
