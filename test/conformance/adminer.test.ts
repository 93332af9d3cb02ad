import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, before, it } from 'node:test'
import express from 'express'
import { fastcgi } from '../../lib/index.ts'
import { type Application, adminer } from '../support/applications.ts'
import { Browser, hiddenFields } from '../support/browser.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { listen, type Site } from '../support/site.ts'

backend('php-fpm', 'php-sqlite3', 'adminer').describe('Adminer under php-fpm, mounted at /db', () => {
  let tool: Application & { readonly database: string }
  let fpm: PhpFpm
  let site: Site
  let close: () => Promise<void>
  let browser: Browser
  let base: string

  before(async () => {
    tool = adminer()
    fpm = await startPhpFpm()
    const handler = fastcgi({ root: tool.root, server: fpm.address, keepAlive: true, logger: false })
    const app = express()
    app.use('/db', handler)
    site = await listen(app)
    close = () => handler.close()
    browser = new Browser(site.url)
    base = `/db/?sqlite=&username=${tool.user}&db=${encodeURIComponent(tool.database)}`
  })
  after(async () => {
    await site?.close()
    await close?.()
    await fpm?.stop()
    tool?.remove()
  })

  it('redirects from the mount to its slash', async () => {
    const response = await fetch(`${site.url}/db?x=1`, { redirect: 'manual' })
    assert.equal(response.status, 301)
    assert.equal(response.headers.get('location'), '/db/?x=1')
  })

  it('refuses a wrong password and takes the right one', async () => {
    await browser.get('/db/')
    const login = (password: string): Record<string, string> => ({
      'auth[driver]': 'sqlite',
      'auth[server]': '',
      'auth[username]': tool.user,
      'auth[password]': password,
      'auth[db]': tool.database,
    })
    const refused = await browser.post('/db/', login('wrong'))
    assert.match(refused.text, /Invalid credentials/)
    const page = await browser.post('/db/', login(tool.password))
    assert.match(page.text, /name=['"]logout['"]/)
  })

  it('makes the database', async () => {
    const form = await browser.get(`/db/?sqlite=&username=${tool.user}&database=`)
    const page = await browser.post(`/db/?sqlite=&username=${tool.user}&database=`, {
      ...hiddenFields(form.text),
      name: tool.database,
      collation: '',
    })
    assert.equal(page.status, 200)
    assert.ok(statSync(tool.database).isFile())
  })

  it('creates a table with its form', async () => {
    const form = await browser.get(`${base}&create=`)
    const page = await browser.post(`${base}&create=`, {
      ...hiddenFields(form.text),
      name: 'notes',
      'fields[1][field]': 'id',
      'fields[1][type]': 'integer',
      'fields[2][field]': 'text',
      'fields[2][type]': 'text',
      auto_increment_col: '1',
    })
    assert.match(page.text, /Table has been created/)
  })

  it('inserts a row with its form and reads it back', async () => {
    const text = `Grüße & <b>"quotes"</b> ${'long '.repeat(20)}`
    const form = await browser.get(`${base}&edit=notes`)
    const page = await browser.post(`${base}&edit=notes`, {
      ...hiddenFields(form.text),
      'fields[id]': '',
      'function[id]': '',
      'fields[text]': text,
      'function[text]': '',
    })
    assert.match(page.text, /has been inserted/)
    const rows = await browser.get(`${base}&select=notes`)
    assert.match(rows.text, /Grüße &amp; &lt;b&gt;/)
    const row = await browser.get(`${base}&edit=notes&where%5Bid%5D=1`)
    assert.ok(
      row.text.includes(
        text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
      ),
    )
  })

  it('exports what was inserted as a download', async () => {
    const form = await browser.get(`${base}&dump=`)
    const dump = await browser.post(`${base}&dump=`, {
      ...hiddenFields(form.text),
      output: 'text',
      format: 'csv',
      table_style: 'DROP+CREATE',
      data_style: 'INSERT',
      'tables[]': 'notes',
      'data[]': 'notes',
    })
    assert.equal(dump.status, 200)
    assert.match(dump.text, /Grüße/)
  })
})
