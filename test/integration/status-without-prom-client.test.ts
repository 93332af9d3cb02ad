import assert from 'node:assert/strict'
import { register } from 'node:module'
import { describe, it } from 'node:test'
import { fastcgi } from '../../lib/index.ts'
import { ask } from '../support/http-client.ts'
import { listen } from '../support/site.ts'

// From here on prom-client is not installed: Node says so itself, of another name.
const loader = `export const resolve = (name, context, next) =>
  next(name === 'prom-client' ? 'a-package-that-nobody-has' : name, context)`
register(`data:text/javascript,${encodeURIComponent(loader)}`)

describe('without prom-client', () => {
  it('the status says what to install, and shows the page all the same', async () => {
    const php = fastcgi({ server: '/run/nobody.sock', root: '.', logger: false })
    const status = fastcgi.status(php)
    const site = await listen((req, res) => status(req, res))
    const answer = await ask(`${site.url}/?format=prometheus`)
    assert.equal(answer.status, 501)
    assert.match(answer.text, /npm install prom-client/)
    assert.equal((await ask(site.url)).status, 200)
    await site.close()
    await php.close()
  })
})
