import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { FastCgiOptions } from '../../lib/index.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'
import { rawRequest } from '../support/site.ts'

// What a client writes, byte for byte, and what a real PHP then has in $_SERVER, in getenv() and in its settings.

/** What env.php tells. */
interface Told {
  readonly server: Readonly<Record<string, string>>
  readonly getenv: Readonly<Record<string, string>>
  readonly ini: Readonly<Record<string, string>>
  readonly files: readonly string[]
}

const TELL = `<?php
header('Content-Type: application/json');
$names = ['memory_limit', 'auto_prepend_file', 'open_basedir', 'disable_functions', 'error_log', 'include_path'];
$ini = array_combine($names, array_map('ini_get', $names));
echo json_encode(
  ['server' => $_SERVER, 'getenv' => getenv(), 'ini' => $ini, 'files' => get_included_files()],
  JSON_INVALID_UTF8_SUBSTITUTE | JSON_FORCE_OBJECT | JSON_UNESCAPED_SLASHES,
);`

backend('php-fpm').describe('the environment of a real PHP', () => {
  let fpm: PhpFpm
  let tree: DocumentTree
  let usual: Gateway
  const gateways: Gateway[] = []

  before(async () => {
    tree = documentTree()
    for (const name of ['www/env.php', 'www/sub/env.php']) tree.write(name, TELL)
    tree.write('www/evil.php', "<?php echo 'evil ', 'ran';")
    fpm = await startPhpFpm({ poolDirectives: ['env[FROM_THE_POOL] = pool'] })
    usual = await gatewayWith({})
  })
  after(async () => {
    for (const gateway of gateways) await gateway.close()
    await fpm?.stop()
    tree?.remove()
  })

  async function gatewayWith(options: FastCgiOptions): Promise<Gateway> {
    const gateway = await serve({ root: `${tree.root}/www`, server: fpm.address, ...options })
    gateways.push(gateway)
    return gateway
  }

  /** The whole answer to header lines behind a request line, all latin1; body behind an empty line. */
  async function rawAnswer(
    lines: readonly string[],
    { gateway = usual, target = '/env.php', method = 'GET', host = 'Host: example.com', body = '' } = {},
  ): Promise<string> {
    const head = [`${method} ${target} HTTP/1.1`, ...(host === '' ? [] : [host]), ...lines]
    if (!lines.some((line) => /^connection:/i.test(line))) head.push('Connection: close')
    const bytes = await rawRequest(gateway.port, Buffer.from([...head, '', body].join('\r\n'), 'latin1'))
    return bytes.toString('latin1')
  }

  async function told(lines: readonly string[], how: Parameters<typeof rawAnswer>[1] = {}): Promise<Told> {
    const answer = await rawAnswer(lines, how)
    assert.match(answer, /^HTTP\/1\.1 200 /, answer.slice(0, 200))
    return JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Told
  }

  /** The names in $_SERVER and in getenv() that a plain request does not have. */
  async function addedBy(
    lines: readonly string[],
    how: Parameters<typeof rawAnswer>[1] = {},
  ): Promise<readonly string[]> {
    const [plain, given] = [await told([], how), await told(lines, how)]
    const names = ({ server, getenv }: Told): string[] => [...Object.keys(server), ...Object.keys(getenv)]
    const known = new Set(names(plain))
    return [...new Set(names(given).filter((name) => !known.has(name)))]
  }

  it('is what a plain request says, and the variables of the pool (getenv)', async () => {
    const { server, getenv, ini } = await told(['X-Plain: yes'])
    assert.deepEqual([server.HTTP_X_PLAIN, getenv.HTTP_X_PLAIN, getenv.FROM_THE_POOL], ['yes', 'yes', 'pool'])
    assert.equal(ini.memory_limit, '256M')
  })

  it('has no HTTP_PROXY in any spelling: httpoxy, CVE-2016-5385', async () => {
    const values = ['http://evil.example:3128', '']
    for (const name of [
      'Proxy',
      'PROXY',
      'proxy',
      'pRoXy',
      '_Proxy',
      'Proxy_',
      '-Proxy',
      'Http-Proxy',
      'Http_Proxy',
      'HTTP_PROXY',
    ]) {
      for (const value of values) {
        const { server, getenv } = await told([`${name}: ${value}`, `${name}: twice`])
        assert.ok(!('HTTP_PROXY' in server) && !('HTTP_PROXY' in getenv), name)
      }
    }
  })

  it('takes no alias with an underscore for the header itself: CVE-2026-52845', async () => {
    for (const name of [
      'Remote_User',
      'Remote_Groups',
      'REMOTE_USER',
      'remote-User_',
      'X_Forwarded_For',
      'X-Forwarded_For',
    ]) {
      assert.deepEqual(await addedBy([`${name}: admin`]), [], name)
      const real = name.replaceAll('_', '-')
      const { server } = await told([`${name}: admin`, `${real}: anna`, `${name}: admin`])
      const variable = `HTTP_${real.toUpperCase().replaceAll('-', '_')}`
      assert.equal(server[variable], 'anna', name)
    }
  })

  it('takes no alias with a dot, a space or another sign that PHP folds: GHSA-49wc-4hcv-v58q', async () => {
    for (const name of [
      'Remote.User',
      'Remote.Groups',
      'X.Forwarded-For',
      '.Proxy',
      'Proxy.',
      "Remote'User",
      'Remote~User',
      'Remote+User',
      'Remote|User',
      'Remote*User',
    ]) {
      assert.deepEqual(await addedBy([`${name}: admin`]), [], name)
    }
    // Node's parser already refuses these; were it ever lenient, they would still not arrive.
    for (const name of [
      'Remote User',
      'Remote[User',
      'Remote\tUser',
      'Remote-User ',
      ' Remote-User',
      'Remote\xa0User',
      'Remote\0User',
    ]) {
      const answer = await rawAnswer([`${name}: admin`])
      assert.ok(!/HTTP_REMOTE.{0,2}USER/.test(answer), name)
    }
  })

  it('gets no status of a redirect that never was: CVE-2024-8927', async () => {
    const lines = [
      'Redirect-Status: 1',
      'Redirect_Status: 1',
      'REDIRECT-STATUS: 1',
      'Redirect-Url: /evil.php',
      'Redirect-Handler: x',
      'Redirect-Query-String: a',
    ]
    assert.deepEqual(await addedBy(lines), [])
    assert.equal((await told(lines)).server.REDIRECT_STATUS, '200')
  })

  it('gets no path that replaces the one that was checked: CVE-2018-14773', async () => {
    for (const name of [
      'X-Original-URL',
      'X-Rewrite-URL',
      'x-original-url',
      'X_Original_URL',
      'X-Rewrite_URL',
      'X.Rewrite.URL',
    ]) {
      assert.deepEqual(await addedBy([`${name}: /evil.php`]), [], name)
      const { server } = await told([`${name}: /evil.php`])
      assert.deepEqual([server.REQUEST_URI, server.SCRIPT_NAME], ['/env.php', '/env.php'])
    }
  })

  it('is never told by a header what CGI itself says', async () => {
    const claims = [
      'Script-Filename',
      'Script-Name',
      'Document-Root',
      'Path-Info',
      'Path-Translated',
      'Request-Method',
      'Request-Uri',
      'Query-String',
    ]
    claims.push(
      'Remote-Addr',
      'Remote-User',
      'Auth-Type',
      'Server-Name',
      'Server-Port',
      'Https',
      'Gateway-Interface',
      'Content-Length-',
      'Orig-Script-Name',
    )
    const lines = claims.flatMap((name) => [
      `${name}: ${tree.root}/www/evil.php`,
      `${name.replaceAll('-', '_')}: /evil.php`,
    ])
    const [plain, given] = [await told([]), await told(lines)]
    for (const [name, value] of Object.entries(plain.server)) {
      if (!/^(?:REMOTE_PORT|REQUEST_TIME)/.test(name)) assert.deepEqual(given.server[name], value, name)
    }
    for (const name of Object.keys(given.server)) assert.ok(name in plain.server || name.startsWith('HTTP_'), name)
    assert.deepEqual(Object.values(given.files), [`${tree.root}/www/env.php`])
  })

  it('takes no ini setting from anything that a client controls', async () => {
    const evil = `auto_prepend_file=${tree.root}/www/evil.php`
    const encoded = encodeURIComponent(`PHP_VALUE=${evil}\nmemory_limit=1G`)
    const names = ['PHP-VALUE', 'Php_Value', 'PHP_ADMIN_VALUE', 'Php-Admin-Value', 'PHP.VALUE']
    const lines = [
      ...names.map((name) => `${name}: ${evil}`),
      `Cookie: PHP_VALUE=${evil}`,
      `User-Agent: \\nPHP_VALUE\\n${evil}`,
      `X-Pair: \xff\xffPHP_VALUE${evil}`,
      `Authorization: Basic ${Buffer.from(`PHP_VALUE:${evil}`).toString('base64')}`,
    ]
    const body = `PHP_VALUE=${encodeURIComponent(evil)}`
    const form = ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${body.length}`]
    const plain = await told([])
    for (const target of [
      `/env.php?PHP_VALUE=${encodeURIComponent(evil)}`,
      `/env.php?${encoded}`,
      `/env.php/PHP_VALUE=${evil}`,
    ]) {
      const given = await told([...lines, ...form], { method: 'POST', target, body })
      assert.deepEqual(given.ini, plain.ini, target)
      assert.deepEqual(Object.values(given.files), [`${tree.root}/www/env.php`])
      for (const name of ['PHP_VALUE', 'PHP_ADMIN_VALUE']) assert.ok(!(name in given.server), name)
    }
  })

  it('lets a route’s parameter add no setting to the operator’s own', async () => {
    const gateway = await gatewayWith({
      match: '/t/:tenant/env.php',
      scriptFilename: `${tree.root}/www/env.php`,
      params: { PHP_VALUE: 'open_basedir=TREE/:tenant'.replace('TREE', tree.root) },
    })
    assert.equal((await told([], { gateway, target: '/t/www/env.php' })).ini.open_basedir, `${tree.root}/www`)
    for (const tenant of [
      'www:',
      'www;',
      'x:.',
      '"',
      "'",
      'a=b',
      'www%20',
      '%24%7Bx%7D',
      'a,b',
      '..:',
      'www%0aauto_prepend_file=x',
    ]) {
      assert.match(await rawAnswer([], { gateway, target: `/t/${tenant}/env.php` }), /^HTTP\/1\.1 40[04] /, tenant)
    }
  })

  it('lets no client override what the operator says', async () => {
    const gateway = await gatewayWith({
      params: {
        HTTP_X_USER: 'anna',
        'HTTP_X.ROLE': 'guest',
        REMOTE_USER: () => 'anna',
        HTTP_X_GONE: '',
        HTTP_X_NEVER: () => undefined,
        APP_ENV: 'live',
      },
    })
    const spelled = (name: string): string[] => [
      name,
      name.toUpperCase(),
      name.replaceAll('-', '_'),
      name.replaceAll('-', '.'),
      `${name}_`,
    ]
    const lines = ['X-User', 'X-Role', 'X-Gone', 'X-Never', 'App-Env', 'Remote-User', 'Http-X-User']
      .flatMap(spelled)
      .map((name) => `${name}: admin`)
    const { server, getenv } = await told(lines, { gateway })
    assert.deepEqual(
      [server.HTTP_X_USER, server.HTTP_X_ROLE, server.REMOTE_USER, server.APP_ENV, getenv.HTTP_X_USER],
      ['anna', 'guest', 'anna', 'live', 'anna'],
    )
    for (const name of ['HTTP_X_GONE', 'HTTP_X_NEVER']) assert.ok(!(name in server) && !(name in getenv), name)
  })

  it('refuses two of what must be single', async () => {
    const pairs = [
      ['Host: example.com', 'Host: evil.example'],
      ['Host: example.com', 'hOST: example.com'],
      ['Host: example.com', 'Host:'],
      ['Content-Type: text/plain', 'Content-Type: multipart/form-data'],
      ['Content-Length: 0', 'Content-Length: 0'],
      ['Content-Length: 0', 'content-length: 5'],
      ['Authorization: Basic YTph', 'authorization: Basic YjpI'],
      ['Content-Length: 0', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    ]
    for (const [first = '', second = ''] of pairs) {
      const host = first.startsWith('Host') ? '' : 'Host: example.com'
      for (const lines of [
        [first, second],
        [first, 'X-Between: 1', second],
      ]) {
        // A body where none is announced would be refused as a second request, which proves nothing.
        const isChunked = lines.some((line) => line.endsWith('chunked'))
        const answer = await rawAnswer(lines, { host, method: 'POST', body: isChunked ? '0\r\n\r\n' : '' })
        assert.match(answer, /^HTTP\/1\.1 (?:400|501) /, second)
      }
    }
  })

  it('believes the X-Forwarded-* of nobody, and of the trusted peer the nearest', async () => {
    const lines = [
      'X-Forwarded-For: 192.0.2.66',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Port: 1',
      'X-Forwarded-For: 127.0.0.1',
      'Forwarded: for=192.0.2.66;proto=https',
      'X-Real-IP: 192.0.2.66',
      'Front-End-Https: on',
      'X-Forwarded-Ssl: on',
    ]
    const { server } = await told(lines)
    assert.deepEqual(
      [server.REMOTE_ADDR, server.SERVER_NAME, server.REQUEST_SCHEME, server.HTTPS],
      ['127.0.0.1', 'example.com', 'http', undefined],
    )
    assert.equal(server.HTTP_HOST, 'example.com')
    const other = await gatewayWith({ trustProxy: '198.51.100.7' })
    const distrusted = (await told(lines, { gateway: other })).server
    for (const name of ['REMOTE_ADDR', 'SERVER_NAME', 'SERVER_PORT', 'REQUEST_SCHEME', 'HTTPS', 'HTTP_HOST']) {
      assert.equal(distrusted[name], name === 'SERVER_PORT' ? '80' : server[name], name)
    }
    const trusting = await gatewayWith({ trustProxy: 'loopback' })
    const hop = await told(['X-Forwarded-For: 192.0.2.66, 203.0.113.9'], { gateway: trusting })
    assert.equal(hop.server.REMOTE_ADDR, '203.0.113.9')
    const junk = await told(
      ['X-Forwarded-For: 1.2.3.4, <script>', 'X-Forwarded-Proto: javascript', 'X-Forwarded-Host: a b'],
      { gateway: trusting },
    )
    assert.deepEqual(
      [junk.server.REMOTE_ADDR, junk.server.REQUEST_SCHEME, junk.server.SERVER_NAME],
      ['127.0.0.1', 'http', 'example.com'],
    )
  })

  it('keeps what access control relies on when Connection names it: CVE-2022-31813', async () => {
    const relied = [
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'X-Forwarded-Proto',
      'X-Real-IP',
      'X-User',
      'Forwarded',
      'Authorization',
      'Cookie',
      'Remote-User',
      'Remote-Groups',
      'Auth-User',
      'User-Id',
      'Client-Cert',
      'Ssl-Client-Verify',
      'Cf-Connecting-Ip',
      'Fastly-Client-Ip',
      'True-Client-Ip',
      'Origin',
      'Referer',
      'Sec-Fetch-Site',
      'Tailscale-User-Login',
      'Api-Key',
    ]
    const values = relied.map((name) => `${name}: a=kept`)
    for (const connection of [
      `close, ${relied.join(', ')}`,
      `close,${relied.join(',').toLowerCase()}`,
      `close,, ,${relied.join(' ,\t')}`,
    ]) {
      const { server } = await told([`Connection: ${connection}`, ...values])
      for (const name of relied) assert.equal(server[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`], 'a=kept', name)
    }
    const twice = await told(['Connection: close', `Connection: ${relied.join(', ')}`, ...values])
    assert.equal(twice.server.HTTP_X_REAL_IP, 'a=kept')
    assert.equal((await told(['Connection: close, Host'])).server.HTTP_HOST, 'example.com')
  })

  it('gets nothing of trailers', async () => {
    const lines = ['Transfer-Encoding: chunked', 'Trailer: X-Late', 'TE: trailers']
    const body = (trailer: string): string =>
      `1\r\na\r\n0\r\nProxy: evil\r\nX-Late: 1\r\n${trailer}PHP-VALUE: x\r\n\r\n`
    const { server } = await told(lines, { method: 'POST', body: body('') })
    assert.equal(server.CONTENT_LENGTH, '1')
    for (const name of ['PROXY', 'X_LATE', 'PHP_VALUE', 'TRAILER', 'TE', 'TRANSFER_ENCODING']) {
      assert.ok(!(`HTTP_${name}` in server), name)
    }
    const another = await rawAnswer(lines, { method: 'POST', body: body('Content-Length: 9\r\n') })
    assert.match(another, /^HTTP\/1\.1 400 /)
  })

  it('gets the host of the target, and no malformed one', async () => {
    const { server } = await told(['X-A: b'], { target: 'http://real.example:81/env.php', host: 'Host: evil.example' })
    assert.deepEqual(
      [server.HTTP_HOST, server.SERVER_NAME, server.SERVER_PORT],
      ['real.example:81', 'real.example', '81'],
    )
    for (const host of [
      'a b',
      'a/b',
      'a\\b',
      'a@b',
      'a,b',
      'a:1:2',
      'a#',
      '<x>',
      '"',
      'a:99999999',
      '\xff',
      '[::1',
      "a'",
    ]) {
      assert.match(await rawAnswer([], { host: `Host: ${host}` }), /^HTTP\/1\.1 400 /, host)
    }
  })
})
