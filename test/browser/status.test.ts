import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import express from 'express'
import { fastcgi } from '../../lib/index.ts'
import type { FastCgiHandler } from '../../lib/middleware.ts'
import { type Chromium, startChromium, type WatchedPage } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { phpRoot } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { type Listening, listen } from '../support/listen.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { backend } from '../support/require-backend.ts'

const CLIENTS = 8

/** Keeps clients asking until it is disposed of; what they get is their own affair. */
function load(url: string): AsyncDisposable {
  let isOver = false
  const client = async (): Promise<void> => {
    while (!isOver) await ask(url).catch(() => undefined)
  }
  const clients = Array.from({ length: CLIENTS }, client)
  return {
    async [Symbol.asyncDispose]() {
      isOver = true
      await Promise.all(clients)
    },
  }
}

backend('php-fpm', 'chromium').describe('the status page in a browser, before a loaded gateway', () => {
  let pools: readonly [PhpFpm, PhpFpm]
  let directory: PrivateDirectory
  let php: FastCgiHandler
  let site: Listening
  let chromium: Chromium
  let watched: WatchedPage
  let url: string

  before(async () => {
    pools = await Promise.all([startPhpFpm({ children: 2 }), startPhpFpm({ children: 2 })])
    directory = privateDirectory('status')
    php = fastcgi({
      root: phpRoot,
      servers: [
        { name: 'first', address: pools[0].address, maxConnections: 2 },
        { name: 'second', address: pools[1].address, maxConnections: 2, failTimeout: '1h' },
      ],
      balance: 'round-robin',
      logger: false,
    })
    site = await listen(
      createServer(
        express()
          .use('/fcgi-status', fastcgi.status(php, { interval: 200 }))
          .use(php),
      ),
    )
    url = `http://127.0.0.1:${site.port}`
    chromium = await startChromium()
    watched = await chromium.open()
  })
  after(async () => {
    await chromium?.close()
    await site?.[Symbol.asyncDispose]()
    await php?.close()
    await directory?.remove()
    await Promise.all(pools?.map((pool) => pool.stop()) ?? [])
  })

  /** Asked from outside: the page's policy lets nothing be evaluated in it. */
  const seen = (expression: string): Promise<void> =>
    eventually(expression, async () => (await watched.page.evaluate(expression)) === true)

  /** In the page: the number in front of a word on a backend's card. */
  const numberOf = (server: string, word: string): string =>
    `Number(document.querySelector('[data-server=${server}] .numbers').innerText.match(/(\\d+) ${word}/)[1])`

  it('redraws itself: numbers and charts move without a reload', async () => {
    const { page, failures } = watched
    await using _load = load(`${url}/sleep.php?ms=20`)
    assert.equal((await page.goto(`${url}/fcgi-status`))?.status(), 200)
    await page.evaluate('window.wasNeverReloaded = true')
    await seen(`${numberOf('first', 'busy')} === 2 && ${numberOf('second', 'busy')} === 2`)
    await seen(`${numberOf('first', 'waiting')} > 0`)
    await seen(`[...document.querySelectorAll('[data-server=first] svg path')]
      .filter(({ classList }) => !classList.contains('failures'))
      .every((path) => path.getAttribute('d').split(/[ -]/).length > 10)`)
    assert.match(await page.title(), /^All 2 backends up/)
    assert.equal(await page.evaluate('window.wasNeverReloaded'), true)
    assert.deepEqual(failures, [])
  })

  it('shows that a backend is down, since when and why', async () => {
    const { page, failures } = watched
    await using _load = load(`${url}/sleep.php?ms=20`)
    pools[1].kill('SIGKILL')
    await page.waitForSelector('[data-server=second].down')
    await seen(`document.title.startsWith('1 of 2 backends down')`)
    const card = (await page.textContent('[data-server=second]')) ?? ''
    assert.match(card, /down for \d+\u202fs/)
    assert.match(card, /Last errors\s*ERR_FCGI_(CONNECT|RESET)/)
    await seen(`document.querySelector('[data-server=second] .bars').getAttribute('d') !== ''`)
    assert.match((await page.textContent('[data-server=first] .state')) ?? '', /^up/)
    assert.deepEqual(failures, [])
    await page.screenshot({ path: join(process.env.SCREENSHOTS ?? directory.path, 'status.png'), fullPage: true })
  })

  it('leaves what is being copied alone', async () => {
    const { page } = watched
    await page.evaluate(
      `getSelection().selectAllChildren(document.querySelector('code')); window.was = document.querySelector('main')`,
    )
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 3 * Number(document.body.dataset.interval)))')
    assert.equal(await page.evaluate(`document.querySelector('main') === was`), true)
    await page.evaluate('getSelection().removeAllRanges()')
    await seen(`document.querySelector('main') !== was`)
  })

  it('says so when the gateway does not answer any more', async () => {
    const { page } = watched
    assert.equal(await page.evaluate(`getComputedStyle(document.querySelector('.stale')).display`), 'none')
    await site[Symbol.asyncDispose]()
    await seen(`getComputedStyle(document.querySelector('.stale')).display === 'block'`)
    assert.match((await page.textContent('[data-server=second] .state')) ?? '', /^down/)
  })
})
