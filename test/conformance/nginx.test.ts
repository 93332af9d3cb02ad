import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import express from 'express'
import { fastcgi } from '../../lib/index.ts'
import type { Backend } from '../support/backend.ts'
import { phpRoot } from '../support/gateway.ts'
import { ask, type Question } from '../support/http-client.ts'
import { startNginx } from '../support/nginx.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { listen, type Site } from '../support/site.ts'

/** Different by nature: who serves, on which port, at which moment; and PHP's copies of these. */
const OF_THE_SERVER = [
  'SERVER_SOFTWARE',
  'SERVER_PORT',
  'REMOTE_PORT',
  'REQUEST_TIME',
  'REQUEST_TIME_FLOAT',
  'HTTP_HOST',
]

/**
 * nginx sends these too, we do not: a connection's own headers (RFC 9110 section 7.6.1), the two headers that CGI has names of
 * their own for (RFC 3875 section 4.1.18), and a REMOTE_USER that nobody has verified.
 */
const NEVER_OURS = [
  'HTTP_CONNECTION',
  'HTTP_KEEP_ALIVE',
  'HTTP_TE',
  'HTTP_TRANSFER_ENCODING',
  'HTTP_CONTENT_LENGTH',
  'HTTP_CONTENT_TYPE',
  'REMOTE_USER',
]

type ServerVariables = Record<string, string>

/** nginx sends empty values where we send none: an unset and an empty variable are the same to CGI (RFC 3875 section 4.1). */
function comparable(variables: ServerVariables): ServerVariables {
  const hidden = new Set(OF_THE_SERVER)
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([name, value]) => !hidden.has(name) && value !== '')
      .map(([name, value]): [string, string] => [name, name === 'argv' ? JSON.stringify(value) : String(value)])
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  )
}

backend('php-fpm', 'nginx').describe('$_SERVER behind us and behind nginx with its own fastcgi_params', () => {
  let fpm: PhpFpm
  let nginx: Backend
  let site: Site
  const handlers: { close(): Promise<void> }[] = []

  before(async () => {
    fpm = await startPhpFpm()
    // As nginx's own documentation has it. Where try_files stands in place of `if`, DOCUMENT_URI loses its PATH_INFO.
    const php = `fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
      if (!-f $document_root$fastcgi_script_name) { return 404; }
      include fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param PATH_INFO $fastcgi_path_info;
      fastcgi_pass unix:${fpm.address};`
    nginx = await startNginx({
      server: `root ${phpRoot}; index index.php;
        location ~ [^/]\\.php(/|$) { ${php} }
        location /front { try_files $uri /front.php$is_args$args; }`,
    })
    const app = express()
    const plain = fastcgi({ root: phpRoot, server: fpm.address, logger: false })
    const front = fastcgi({ root: phpRoot, server: fpm.address, frontController: '/front.php', logger: false })
    handlers.push(plain, front)
    app.use((req, res, next) => (req.path.startsWith('/front') ? front : plain)(req, res, next))
    site = await listen(app)
  })
  after(async () => {
    await site?.close()
    for (const handler of handlers) await handler.close()
    await nginx?.stop()
    await fpm?.stop()
  })

  async function both(
    path: string,
    question: Question = {},
  ): Promise<{ ours: ServerVariables; theirs: ServerVariables }> {
    const [ours, theirs] = await Promise.all([
      ask(`${site.url}${path}`, question),
      ask(`http://${nginx.address}${path}`, question),
    ])
    assert.equal(theirs.status, 200, `nginx: ${theirs.text}\n${nginx.log()}`)
    assert.equal(ours.status, 200, `ours: ${ours.text}`)
    return { ours: comparable(JSON.parse(ours.text)), theirs: comparable(JSON.parse(theirs.text)) }
  }

  for (const [what, path, question] of [
    ['a script', '/server.php', {}],
    ['a query', '/server.php?a=1&b=%20x&c', {}],
    ['an empty query', '/server.php?', {}],
    ['PATH_INFO', '/server.php/more/of/it?q', {}],
    ['PATH_INFO of a slash', '/server.php/', {}],
    ['encoded PATH_INFO', '/server.php/caf%C3%A9/a%20b', {}],
    ['PATH_INFO that looks like a script', '/server.php/other.php/x', {}],
    ['the index of the root', '/', {}],
    ['the index of a folder', '/folder/', {}],
    ['the index of a folder with a query', '/folder/?x=y', {}],
    ['a script in a folder', '/folder/index.php', {}],
    ['an encoded letter in the name', '/%73erver.php', {}],
    ['the front controller', '/front/some/page?x=1', {}],
    ['the front controller for an encoded path', '/front/a%20b/%C3%A9', {}],
    [
      'request headers',
      '/server.php',
      { headers: { Accept: 'a/b', 'X-Custom': 'v', Cookie: 'a=b; c=d', Authorization: 'Basic eDp5' } },
    ],
    [
      'a form',
      '/server.php',
      { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'a=b' },
    ],
    ['a PUT', '/server.php/item', { method: 'PUT', headers: { 'Content-Type': 'text/plain' }, body: 'hello' }],
    ['DELETE', '/server.php/item', { method: 'DELETE' }],
    ['OPTIONS', '/server.php', { method: 'OPTIONS' }],
  ] as const satisfies readonly (readonly [string, string, Question])[]) {
    it(`is the same for ${what}`, async () => {
      const { ours, theirs } = await both(path, question)
      for (const name of NEVER_OURS) {
        assert.equal(ours[name], undefined)
        delete theirs[name]
      }
      assert.deepEqual(ours, theirs)
    })
  }

  it('has SERVER_PORT of the connection in both', async () => {
    const [ours, theirs] = await Promise.all(
      [site.url, `http://${nginx.address}`].map(async (url) => JSON.parse((await ask(`${url}/server.php`)).text)),
    )
    assert.equal(ours.SERVER_PORT, String(site.port))
    assert.equal(theirs.SERVER_PORT, nginx.address.split(':')[1])
    assert.equal(ours.HTTP_HOST, `127.0.0.1:${site.port}`)
  })

  it('is 404 in both for a script that is not there, also with PATH_INFO', async () => {
    for (const path of ['/nothing.php', '/nothing.php/x', '/folder/nothing.php', '/not-a-script.txt/server.php']) {
      const [ours, theirs] = await Promise.all([ask(`${site.url}${path}`), ask(`http://${nginx.address}${path}`)])
      assert.deepEqual([path, theirs.status], [path, 404])
      assert.deepEqual([path, ours.status], [path, 404])
    }
  })

  it('is redirected to the slash of a folder in both', async () => {
    const [ours, theirs] = await Promise.all([ask(`${site.url}/folder?a=b`), ask(`http://${nginx.address}/folder?a=b`)])
    assert.equal(theirs.status, 301)
    assert.match(String(theirs.headers.location), /\/folder\/\?a=b$/)
    assert.equal(ours.status, 301)
    assert.match(String(ours.headers.location), /\/folder\/\?a=b$/)
  })

  it('has the mount in SCRIPT_NAME and REQUEST_URI, as nginx has it for a folder of that name', async () => {
    const app = express()
    const mounted = fastcgi({ root: join(phpRoot, 'folder'), server: fpm.address, logger: false })
    handlers.push(mounted)
    app.use('/folder', mounted)
    const other = await listen(app)
    try {
      for (const path of ['/folder/', '/folder/index.php', '/folder/index.php/info?q=1']) {
        const [ours, theirs] = await Promise.all([ask(`${other.url}${path}`), ask(`http://${nginx.address}${path}`)])
        const [mine, its] = [comparable(JSON.parse(ours.text)), comparable(JSON.parse(theirs.text))]
        for (const name of [
          'SCRIPT_NAME',
          'REQUEST_URI',
          'PATH_INFO',
          'QUERY_STRING',
          'SCRIPT_FILENAME',
          'PHP_SELF',
          'DOCUMENT_URI',
        ]) {
          assert.deepEqual([path, name, mine[name]], [path, name, its[name]])
        }
      }
    } finally {
      await other.close()
    }
  })
})
