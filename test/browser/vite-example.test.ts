import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { backend } from '../support/require-backend.ts'
import { type ServingProcess, startServing } from '../support/serving-process.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const viteCommand = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin/vite.js')

backend('php-fpm', 'chromium').describe('examples/vite in a browser', () => {
  let fpm: PhpFpm
  let directory: PrivateDirectory
  let chromium: Chromium
  let vite: ServingProcess

  before(async () => {
    fpm = await startPhpFpm()
    directory = privateDirectory('vite')
    cpSync(join(repository, 'examples/vite'), directory.path, { recursive: true })
    mkdirSync(join(directory.path, 'node_modules'))
    symlinkSync(repository, join(directory.path, 'node_modules/express-fastcgi'))
    writeFileSync(join(directory.path, 'package.json'), '{"private":true,"type":"module"}')
    vite = await startServing(viteCommand, {
      args: ['--host', '127.0.0.1', '--port', '0'],
      cwd: directory.path,
      environment: { FASTCGI_SERVER: fpm.address, NO_COLOR: '1' },
    })
    chromium = await startChromium()
  })
  after(async () => {
    await chromium?.close()
    await vite?.stop()
    directory?.remove()
    await fpm?.stop()
  })

  it('is PHP with the modules and the styles of Vite, which change without a reload', async () => {
    const { page, messages, failures } = await chromium.open()
    await page.goto(`${vite.url}/`)
    assert.match((await page.textContent('h1')) ?? '', /^PHP 8.* in Vite$/)
    await eventually('the client of Vite is connected', () => messages.includes('[vite] connected.'))
    await page.click('#count')
    assert.equal(await page.textContent('#count'), '1')
    appendFileSync(join(directory.path, 'src/style.css'), '\nh1 { color: rgb(1, 2, 3) }\n')
    await page.waitForFunction('getComputedStyle(document.querySelector("h1")).color === "rgb(1, 2, 3)"')
    assert.equal(await page.textContent('#count'), '1')
    assert.equal(await page.textContent('#visits'), '1')
    await page.reload()
    assert.equal(await page.textContent('#visits'), '2')
    assert.deepEqual(failures, [])
    await page.close()
  })
})
