import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { FastCgiOptions } from '../../lib/index.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { type Gateway, serve } from '../support/gateway.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { rawGet } from '../support/raw-fastcgi.ts'
import { backend } from '../support/require-backend.ts'
import { rawRequest } from '../support/site.ts'

// A php-fpm that runs whatever file it is told, and guesses where none is: what stands between it and these files is the gateway.

const PWNED = 'wrong file ran'
const RUNS = "<?php echo 'wrong file ', 'ran';"

/** Files that nobody may run, as uploads have them, one that runs by its name alone, and one outside of the root. */
const uploads = [
  'www/up/a.jpg',
  'www/up/a.jpg ',
  'www/up/a.jpg\n',
  'www/up/shell.phpx',
  'www/up/shell.php.txt',
  'www/up/shell.php?x.jpg',
  'www/up/shell.php;x.jpg',
  'www/up/shell.PHP',
  'www/up/SHELL.PHP',
  'www/up/shell.php.',
  'www/up/shell.php ',
  'www/up/shell.php::$DATA',
  'www/up/shell.php%00.jpg',
  'www/up/\u023a\u023a\u023a\u023a.txt',
  'www/up/\u0130\u0130\u0130\u0130.txt',
  'www/up/\u023a\u023a\u023a\u023ashell.php.txt',
  'www/up/\u0130\u0130\u0130\u0130shell.php.txt',
  'www/up/\u023a\u023a\u023a\u023a.php/evi',
  'www/up/\u0130\u0130\u0130\u0130.php/evi',
  'www/up/shell.\u017fphp',
  'www/up/shell.php\u2024txt',
  'www/up/shell\uff0ephp',
  'www/up/shell.\uff50\uff48\uff50',
  'www/up/shell.\u24df\u24d7\u24df',
  'www/up/shell.p\u00adhp',
  'www/up/shell.p\u200chp',
  'www/up/by-its-name.php',
  'outside/secret.php',
]

/** What is held, what it is known by, and targets as they stand in the request line (latin1). */
const attacks: readonly (readonly [name: string, ...targets: string[]])[] = [
  [
    'runs no upload by the name of a script behind it (cgi.fix_pathinfo, 2010)',
    '/up/a.jpg/a.php',
    '/up/a.jpg/.php',
    '/up/a.jpg/x/y.php',
    '/up/a.jpg//a.php',
  ],
  [
    'takes no encoded slash for a slash, nor a backslash',
    '/up/a.jpg%2fa.php',
    '/up%2fby-its-name.php',
    '/up%2Fby-its-name.php/x',
    '/up%5cby-its-name.php',
    '/%2fup/by-its-name.php',
    '/up/a.jpg%2F.php',
    '/up%2fa.jpg/a.php',
  ],
  [
    'lets no line end into a path (CVE-2019-11043)',
    '/index.php%0a',
    '/index.php/%0aa.php',
    '/index.php/PHP%0Ais_the_shittiest_lang.php',
    '/%0d/a.php',
  ],
  [
    'cuts a path where it is written, not where its small letters end (CVE-2026-24895, CVE-2026-27590)',
    `/up/${'%C8%BA'.repeat(4)}.txt.php`,
    `/up/${'%C8%BA'.repeat(4)}.txt/x.php`,
    `/up/${'%C8%BA'.repeat(4)}shell.php.txt.php`,
    `/up/${'%C8%BA'.repeat(4)}.php/evi/x.php`,
    `/up/${'%C8%BA'.repeat(4)}.php/evidence`,
  ],
  [
    'cuts a path where it is written, also behind capitals with a dot (CVE-2026-27590)',
    `/up/${'%C4%B0'.repeat(4)}.txt.php`,
    `/up/${'%C4%B0'.repeat(4)}.txt/.php`,
    `/up/${'%C4%B0'.repeat(4)}shell.php.txt.php`,
    `/up/${'%C4%B0'.repeat(4)}.php/evi/x.php`,
    `/up/${'%C4%B0'.repeat(4)}.php/evidence`,
  ],
  [
    'takes no letter for another that it folds to (CVE-2026-45135)',
    '/up/shell.%C5%BFphp',
    '/up/shell.%C5%BFphp/.php',
    '/up/shell.PHP',
    '/up/SHELL.PHP',
  ],
  ['takes no other full stop for a dot (CVE-2026-45135)', '/up/shell.php%E2%80%A4txt', '/up/shell%EF%BC%8Ephp'],
  [
    'takes no letters of another width for an extension (CVE-2026-45135)',
    '/up/shell.%EF%BD%90%EF%BD%88%EF%BD%90',
    '/up/shell.%E2%93%9F%E2%93%97%E2%93%9F',
  ],
  ['leaves no character out (CVE-2026-45135)', '/up/shell.p%C2%ADhp', '/up/shell.p%E2%80%8Chp'],
  [
    'takes the same letters for nothing else where they are not encoded',
    '/up/shell.\xc5\xbfphp',
    '/up/shell.php\xe2\x80\xa4txt',
    '/up/shell\xef\xbc\x8ephp',
  ],
  [
    'lets no NUL into a path (CVE-2006-7243)',
    '/up/a.jpg%00.php',
    '/up/a.jpg%00/.php',
    '/up/a.jpg%2500.php',
    '/up/shell.php%00.jpg',
    '/%00/index.php',
  ],
  [
    'runs no file by a space before the NUL (CVE-2013-4547)',
    '/up/a.jpg%20%00.php',
    '/up/a.jpg%20/a.php',
    '/up/a.jpg%20.php',
    '/up/a.jpg \0.php',
    '/up/a.jpg /../x.php',
  ],
  [
    'takes an encoded question mark for a part of the name (CVE-2024-38473)',
    '/up/a.jpg%3f.php',
    '/up/shell.php%3fx.jpg',
    '/up/a.jpg%3fooo.php/.php',
    '/outside%3f/x.php',
  ],
  [
    'takes a semicolon for a part of the name',
    '/up/a.jpg;.php',
    '/up/shell.php;x.jpg',
    '/..;/outside/secret.php',
    '/x/..;/../outside/secret.php',
  ],
  [
    'climbs above the root by no encoded dot (CVE-2021-41773)',
    '/.%2e/outside/secret.php',
    '/%2e%2e/outside/secret.php',
    '/up/.%2e/%2e%2e/outside/secret.php',
  ],
  [
    'decodes once (CVE-2021-42013)',
    '/up/%2562y-its-name.php',
    '/up/by-its-name%252ephp',
    '/up/%25%36%32y-its-name.php',
    '/up%252fby-its-name.php',
    '/%%32%65%%32%65/outside/secret.php',
    '/.%%32%65/outside/secret.php',
    '/%252e%252e/outside/secret.php',
  ],
  [
    'climbs above the root by no dot segment',
    '/../outside/secret.php',
    '/up/../../outside/secret.php',
    '/index.php/../../outside/secret.php',
    '//../outside/secret.php',
  ],
  [
    'climbs above the root by no absolute-form target',
    'http://a/../outside/secret.php',
    'http://a/up/%2e%2e/../outside/secret.php',
    'x://a//..//outside/secret.php',
  ],
  [
    'climbs above the root by no encoded slash',
    '/..%2foutside%2fsecret.php',
    '/..%2foutside/secret.php',
    '/up%2f..%2f..%2foutside/secret.php',
  ],
  [
    'climbs above the root by no backslash',
    '/..\\outside\\secret.php',
    '/..%5coutside%5csecret.php',
    '/up/..\\../outside/secret.php',
    '/%5c..%5coutside/secret.php',
  ],
  [
    'climbs above the root by no overlong UTF-8 (CVE-2000-0884)',
    '/%c0%ae%c0%ae/outside/secret.php',
    '/..%c0%afoutside/secret.php',
    '/%u002e%u002e/outside/secret.php',
  ],
  [
    'takes no target for a path of the machine',
    '//TREE/outside/secret.php',
    'file:///TREE/outside/secret.php',
    '/TREE/outside/secret.php',
    '/proc/self/root/TREE/outside/secret.php',
  ],
  [
    'runs no file whose extension goes on',
    '/up/shell.phpx',
    '/up/shell.php.txt',
    '/up/shell.phpx/.php',
    '/up/shell.php.txt/x.php',
  ],
  [
    'runs no file by what Windows leaves out of names',
    '/up/shell.php.',
    '/up/shell.php%20',
    '/up/shell.php::$DATA',
    '/up/a.jpg::$DATA.php',
    '/up/shell~1.php',
    '/up/SHELL~1.PHP',
  ],
  [
    'asks no other machine (UNC paths)',
    '//TREE%5coutside%5csecret.php',
    '/%5c%5clocalhost%5cc$%5csecret.php',
    '/C:/outside/secret.php',
    '/%5c%5c?%5cC:%5cx.php',
  ],
]

/** What can only be meant badly is a 400, even where everything has a front controller. */
const ONLY_HOSTILE = /CVE-2019-11043|CVE-2021-41773|dot segment|absolute-form|no backslash/

/** One location each; a match that takes everything leaves all to what is looked for on disk. */
const variants: Readonly<Record<string, FastCgiOptions>> = {
  'the usual location': {},
  'a match that takes everything': { match: /^/ },
  'a front controller': { frontController: '/index.php' },
  'static files and a front controller': { frontController: '/index.php', static: true, match: /^/ },
  'links that stay inside': { symlinks: 'inside', resolveRoot: true, match: /^/ },
}

backend('php-fpm').describe('before a php-fpm that runs any file', () => {
  let fpm: PhpFpm
  let tree: DocumentTree
  const gateways = new Map<string, Gateway>()

  before(async () => {
    tree = documentTree()
    for (const name of uploads) tree.write(name, RUNS)
    for (const name of ['www/index.php', 'www/sub/index.php']) tree.write(name, "<?php echo 'right file ran';")
    tree.link('www/leak.php', `${tree.root}/outside/secret.php`)
    tree.link('www/leak', `${tree.root}/outside`)
    tree.link('www/up/again', '../../outside')
    fpm = await startPhpFpm({ ini: { 'cgi.fix_pathinfo': '1' }, poolDirectives: ['security.limit_extensions ='] })
    const common = { root: `${tree.root}/www`, server: fpm.address }
    for (const [name, options] of Object.entries(variants)) gateways.set(name, await serve({ ...common, ...options }))
  })
  after(async () => {
    for (const gateway of gateways.values()) await gateway.close()
    await fpm?.stop()
    tree?.remove()
  })

  /** The whole answer, as bytes. */
  async function answerTo(variant: string, target: string): Promise<string> {
    const request = `GET ${target.replace('TREE', tree.root.slice(1))} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    const port = gateways.get(variant)?.port ?? assert.fail()
    return (await rawRequest(port, Buffer.from(request, 'latin1'))).toString('latin1')
  }

  it('is as permissive as it looks: asked directly it runs every one of the files', async () => {
    for (const name of uploads) assert.match(await rawGet(fpm.address, `${tree.root}/${name}`), new RegExp(PWNED), name)
    assert.match(await rawGet(fpm.address, `${tree.root}/www/up/a.jpg/x.php`), new RegExp(PWNED))
  })

  for (const [name, ...targets] of attacks) {
    it(name, async () => {
      const expected = ONLY_HOSTILE.test(name) ? /^HTTP\/1\.1 400 / : /^HTTP\/1\.1 (?:200|301|400|404) /
      for (const variant of gateways.keys()) {
        for (const target of targets) {
          const answer = await answerTo(variant, target)
          assert.match(answer, expected, `${target} with ${variant}`)
          assert.ok(!answer.includes(PWNED), `${target} with ${variant}`)
          // php-fpm has guards of its own, against dots for one: nothing may come so far that these are needed.
          if (answer.includes('X-Powered-By')) assert.match(answer, /right file ran/, `${target} with ${variant}`)
        }
      }
    })
  }

  it('follows no link out of the root where links are to stay inside', async () => {
    for (const target of [
      '/leak.php',
      '/leak/secret.php',
      '/up/again/secret.php',
      '/up/../leak.php',
      '/sub/../leak/secret.php/x',
    ]) {
      assert.match(await answerTo('the usual location', target), new RegExp(PWNED), `${target} is no link`)
      assert.match(await answerTo('links that stay inside', target), /^HTTP\/1\.1 404 /, target)
    }
  })

  it('runs the right ones', async () => {
    for (const variant of gateways.keys()) {
      for (const target of [
        '/',
        '/index.php',
        '/index.php/up/a.jpg',
        '/up/../sub/',
        '/%69ndex.php',
        'http://a/sub/index.php',
      ]) {
        assert.match(await answerTo(variant, target), /right file ran/, `${target} with ${variant}`)
      }
    }
  })

  it('leaves it to php-fpm’s own defaults where its disks are not ours', async () => {
    const usual = await startPhpFpm()
    const gateway = await serve({ root: `${tree.root}/www`, server: usual.address, checkLocal: false })
    gateways.set('other disks', gateway)
    try {
      for (const [, ...targets] of attacks) {
        for (const target of targets) assert.ok(!(await answerTo('other disks', target)).includes(PWNED), target)
      }
    } finally {
      gateways.delete('other disks')
      await gateway.close()
      await usual.stop()
    }
  })
})
