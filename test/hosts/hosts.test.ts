import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import supertest from 'supertest'
import { fastcgi } from '../../lib/index.ts'
import type { FastCgiHandler } from '../../lib/middleware.ts'
import type { FastCgiOptions } from '../../lib/options/types.ts'
import { phpRoot } from '../support/gateway.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { type Host, hosts, PASSED_ON } from './hosts.ts'

const quiet = { logger: false } as const

backend('php-fpm').describe('One handler under every host', () => {
  let php: PhpFpm
  const handlers: FastCgiHandler[] = []

  before(async () => {
    php = await startPhpFpm()
  })

  after(async () => {
    await Promise.all(handlers.map((handler) => handler.close()))
    await php.stop()
  })

  function gateway(options: FastCgiOptions = {}): FastCgiHandler {
    const handler = fastcgi({ root: phpRoot, server: php.address, ...quiet, ...options })
    handlers.push(handler)
    return handler
  }

  function client(host: Host, server: Server): ReturnType<typeof supertest> {
    return supertest(server, host.http2 ? { http2: true } : {})
  }

  for (const host of hosts) {
    describe(host.name, () => {
      it('serves a script with its query', async () => {
        const { body } = await client(host, host.create(gateway())).get('/server.php/a/b?x=1&y=%20').expect(200)
        assert.equal(body.REQUEST_URI, '/server.php/a/b?x=1&y=%20')
        assert.equal(body.SCRIPT_NAME, '/server.php')
        assert.equal(body.PATH_INFO, '/a/b')
        assert.equal(body.QUERY_STRING, 'x=1&y=%20')
        assert.equal(body.SCRIPT_FILENAME, `${phpRoot}/server.php`)
        assert.equal(body.SERVER_PROTOCOL, host.http2 ? 'HTTP/2.0' : 'HTTP/1.1')
        assert.equal(body.REMOTE_ADDR, '127.0.0.1')
        assert.match(body.HTTP_HOST, /^127\.0\.0\.1:\d+$/)
      })

      it('brings a form to $_POST', async () => {
        const { body } = await client(host, host.create(gateway()))
          .post('/body.php')
          .type('form')
          .send({ name: 'Ada', list: ['1', '2'] })
          .expect(200)
        assert.equal(body.method, 'POST')
        assert.equal(body.post.name, 'Ada')
        assert.equal(body.contentType, 'application/x-www-form-urlencoded')
      })

      it('brings three megabytes whole', async () => {
        const bytes = randomBytes(3 * 1024 * 1024)
        const { body } = await client(host, host.create(gateway()))
          .put('/body.php')
          .set('Content-Type', 'application/octet-stream')
          .send(bytes)
          .expect(200)
        assert.equal(body.length, bytes.length)
        assert.equal(body.sha256, createHash('sha256').update(bytes).digest('hex'))
      })

      it('passes three Set-Cookie on as three', async () => {
        const { headers } = await client(host, host.create(gateway())).get('/cookies.php').expect(200)
        assert.equal(headers['set-cookie']?.length, 3)
      })

      it('sends no body for HEAD', async () => {
        const { text = '' } = await client(host, host.create(gateway())).head('/server.php').expect(200)
        assert.equal(text, '')
      })

      it('passes on what is not its own', async () => {
        const { text } = await client(host, host.create(gateway())).get('/nothing.txt').expect(404)
        assert.equal(text, host.handlesErrors ? PASSED_ON : '404 Not Found\n')
      })

      it('answers 502 where nothing listens, without a path or a cause', async () => {
        const handler = gateway({ server: '/nonexistent/php.sock' })
        const { text } = await client(host, host.create(handler)).get('/server.php').expect(502)
        assert.equal(text, host.handlesErrors ? 'error ERR_FCGI_CONNECT' : '502 Bad Gateway\n')
      })

      it('refuses with 503 and Retry-After when closed', async () => {
        const handler = gateway()
        await handler.close()
        const { headers } = await client(host, host.create(handler)).get('/server.php').expect(503)
        if (!host.handlesErrors) assert.equal(headers['retry-after'], '1')
      })

      if (!host.mounts) return

      it('puts its mount in front of SCRIPT_NAME and keeps REQUEST_URI', async () => {
        const server = host.create(gateway(), { mount: '/sub dir'.replace(' ', '%20') })
        const { body } = await client(host, server).get('/sub%20dir/server.php/info?q').expect(200)
        assert.equal(body.SCRIPT_NAME, '/sub dir/server.php')
        assert.equal(body.PHP_SELF, '/sub dir/server.php/info')
        assert.equal(body.REQUEST_URI, '/sub%20dir/server.php/info?q')
        assert.equal(body.SCRIPT_FILENAME, `${phpRoot}/server.php`)
        assert.equal(body.DOCUMENT_ROOT, phpRoot)
      })

      it('redirects its mount and its folders to the slash, query kept', async () => {
        const server = host.create(gateway(), { mount: '/sub' })
        const mount = await client(host, server).get('/sub?a=1').expect(301)
        assert.equal(mount.headers.location, '/sub/?a=1')
        const folder = await client(host, server).get('/sub/folder?a=1').expect(301)
        assert.equal(folder.headers.location, '/sub/folder/?a=1')
        await client(host, server).get('/sub/folder/').expect(200)
      })

      it('runs the front controller of a mount', async () => {
        const server = host.create(gateway({ frontController: '/server.php' }), { mount: '/sub' })
        const { body } = await client(host, server).get('/sub/some/route?q=1').expect(200)
        assert.equal(body.SCRIPT_NAME, '/sub/server.php')
        assert.equal(body.REQUEST_URI, '/sub/some/route?q=1')
        assert.equal(body.PATH_INFO, undefined)
      })
    })
  }
})
