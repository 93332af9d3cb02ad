import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { buildEnvironment, type Environment } from '../../lib/cgi/environment.ts'
import { requestFacts } from '../../lib/http/request/request-facts.ts'
import { listen } from '../support/listen.ts'

const script = { scriptName: '/index.php', pathInfo: '', scriptFilename: '/srv/index.php', documentRoot: '/srv' }
const noBody = { contentLength: null, contentType: undefined, dropContentEncoding: false }

/** The environment of a request with these header lines, through Node's own parser. */
async function environmentOf(...lines: readonly string[]): Promise<Environment> {
  let environment: Environment | undefined
  const server = createServer((req, res) => {
    environment = buildEnvironment({ facts: requestFacts(req, null), script, body: noBody })
    res.end()
  })
  await using listening = await listen(server)
  await new Promise<void>((resolve, reject) => {
    const socket = connect(listening.port, '127.0.0.1')
    socket
      .on('error', reject)
      .on('close', () => resolve())
      .resume()
    socket.end(['GET /index.php HTTP/1.1', 'Host: example.com', ...lines, '', ''].join('\r\n'))
  })
  assert.ok(environment !== undefined)
  return environment
}

// CVE-2016-5385 (PHP), CVE-2016-5387 (Apache), "httpoxy": libraries take HTTP_PROXY for the proxy of outgoing requests.
for (const line of ['Proxy: http://evil.example', 'PROXY: http://evil.example', 'pRoXy: x']) {
  test(`sends no HTTP_PROXY for ${line}`, async () => {
    assert.equal((await environmentOf(line)).has('HTTP_PROXY'), false)
  })
}

// CVE-2018-14773 (Symfony, Drupal, Zend): these headers replaced the path that access rules had been asked about.
test('sends no header that replaces the path', async () => {
  const environment = await environmentOf('X-Original-URL: /admin', 'X-Rewrite-URL: /admin', 'X_Original_URL: /admin')
  assert.deepEqual(
    [...environment.keys()].filter((name) => /ORIGINAL|REWRITE/.test(name)),
    [],
  )
})

// Underscore and hyphen become one variable: a client could write, over what a proxy has set and cleared, its own
// X_Forwarded_For (as CVE-2015-0219, Django).
for (const alias of ['X_Forwarded_For', 'X-Forwarded_For', 'X.Forwarded.For', 'X_FORWARDED_FOR']) {
  test(`lets ${alias} not stand for X-Forwarded-For`, async () => {
    const both = await environmentOf(`${alias}: 127.0.0.1`, 'X-Forwarded-For: 192.0.2.1')
    assert.equal(both.get('HTTP_X_FORWARDED_FOR'), '192.0.2.1')
    const alone = await environmentOf(`${alias}: 127.0.0.1`)
    assert.deepEqual(
      [...alone.keys()].filter((name) => name.startsWith('HTTP_X')),
      [],
    )
  })
}

// CVE-2022-31813 (Apache mod_proxy): Connection took the X-Forwarded-* headers away that applications check by address.
test('lets Connection not take away what access control relies on', async () => {
  const environment = await environmentOf(
    'Connection: close, X-Forwarded-For, X-Real-IP, Authorization, Cookie, Host, Forwarded, Foo',
    'X-Forwarded-For: 192.0.2.1',
    'X-Real-IP: 192.0.2.1',
    'Authorization: Basic eA==',
    'Cookie: a=1',
    'Forwarded: for=192.0.2.1',
    'Foo: hop',
  )
  assert.deepEqual([...environment.keys()].filter((name) => name.startsWith('HTTP_')).sort(), [
    'HTTP_AUTHORIZATION',
    'HTTP_COOKIE',
    'HTTP_FORWARDED',
    'HTTP_HOST',
    'HTTP_X_FORWARDED_FOR',
    'HTTP_X_REAL_IP',
  ])
})

test('lets no header set a variable of CGI itself', async () => {
  const environment = await environmentOf(
    'Redirect-Status: 500',
    'Script-Filename: /etc/passwd',
    'PHP-VALUE: auto_prepend_file=/etc/passwd',
    'Https: on',
    'Remote-Addr: 127.0.0.1',
    'Content-Length: 0',
  )
  assert.equal(environment.get('SCRIPT_FILENAME'), '/srv/index.php')
  assert.equal(environment.get('REDIRECT_STATUS'), '200')
  assert.equal(environment.get('REMOTE_ADDR'), '127.0.0.1')
  for (const name of [
    'PHP_VALUE',
    'PHP_ADMIN_VALUE',
    'HTTPS',
    'HTTP_REDIRECT_STATUS',
    'HTTP_CONTENT_LENGTH',
    'CONTENT_LENGTH',
  ]) {
    assert.equal(environment.has(name), false, name)
  }
})

// CVE-2019-11043 (php-fpm, PATH_INFO emptied by a line feed) needs a front server that splits on one.
test('sends neither line ends nor NUL in any value', async () => {
  const environment = await environmentOf('X-A: b')
  for (const [name, value] of environment) assert.doesNotMatch(name + value, /[\0\r\n]/)
})
