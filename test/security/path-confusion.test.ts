import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { RequestFacts } from '../../lib/cgi/facts.ts'
import { Resolver } from '../../lib/http/resolution/resolution.ts'
import type { ResolvableLocation } from '../../lib/http/resolution/site.ts'
import { documentTree } from '../support/document-tree.ts'
import { factsOf, phpLocation } from '../support/facts.ts'

const tree = documentTree([
  'www/index.php',
  'www/sub/index.php',
  'www/up/a.jpg',
  'www/up/shell.\u017fphp',
  'www/up/\u023a\u023a\u023a\u023a.txt',
  'www/up/shell.php\u2024txt',
  'www/up/x\uff0ephp',
  'secret/config.php',
  'www/%2e%2e/x.php',
])
after(() => tree.remove())
const root = `${tree.root}/www`

/** What runs: SCRIPT_FILENAME under the tree, `pass`, `301 …`, or the code of a refusal. */
async function outcome(
  url: string,
  given: Partial<ResolvableLocation> = {},
  facts: Partial<RequestFacts> = {},
): Promise<string> {
  try {
    const resolution = await new Resolver([phpLocation(root, given)]).resolve(factsOf(url, facts))
    if (resolution.kind === 'script')
      return Buffer.from(resolution.script.scriptFilename, 'latin1').toString().slice(tree.root.length)
    return resolution.kind === 'redirect' ? `301 ${resolution.to}` : resolution.kind
  } catch (error) {
    return (error as { code: string }).code
  }
}

const refused = 'ERR_FCGI_BAD_TARGET'

// CVE-2021-41773 and CVE-2021-42013 (Apache): encoded dots, singly and doubly, climbed out of the root.
describe('a climb out of the root', () => {
  for (const url of [
    '/../secret/config.php',
    '/..%2fsecret/config.php',
    '/%2e%2e/secret/config.php',
    '/.%2e/secret/config.php',
    '/sub/../../secret/config.php',
    '/sub/%2e%2e/%2e%2e/secret/config.php',
    '/sub%2f..%2f..%2fsecret/config.php',
    '/..\\secret\\config.php',
    '/..%5csecret%5cconfig.php',
    '/index.php/../../secret/config.php',
  ]) {
    test(`is refused: ${url}`, async () => assert.equal(await outcome(url), refused))
  }

  for (const url of [
    '/%252e%252e/secret/config.php',
    '/%252e%252e%252fsecret/config.php',
    '/..;/secret/config.php',
    '/.../config.php',
  ]) {
    test(`does not happen: ${url}`, async () => assert.equal(await outcome(url), 'pass'))
  }

  test('does not happen by decoding twice: the file of that very name runs', async () => {
    assert.equal(await outcome('/%252e%252e/x.php'), '/www/%2e%2e/x.php')
  })

  test('does not happen by an overlong encoding (CVE-2000-0884, IIS)', async () => {
    assert.equal(await outcome('/%c0%ae%c0%ae/secret/config.php'), 'pass')
    assert.equal(await outcome('/..%c0%af../secret/config.php'), 'pass')
  })
})

// A NUL ended the name for the disk but not for the rule (CVE-2006-7243, PHP; CVE-2013-4547, nginx with a space).
describe('NUL and controls', () => {
  for (const url of [
    '/up/a.jpg%00.php',
    '/up/a.jpg%00/x.php',
    '/index.php%00',
    '/%0a/index.php',
    '/index.php%0a',
    '/index.php%7f',
  ]) {
    test(`are refused: ${url}`, async () => assert.equal(await outcome(url), refused))
  }
  test('an encoded space stays a part of the name', async () => {
    assert.equal(await outcome('/up/a.jpg%20.php'), 'pass')
  })
})

// Behind nginx, PHP's cgi.fix_pathinfo ran an uploaded picture when a made-up name with .php was put behind it (2010).
describe('an upload', () => {
  for (const url of [
    '/up/a.jpg/x.php',
    '/up/a.jpg/.php',
    '/up/a.jpg/index.php/x',
    '/up/a.jpg%2fx.php',
    '/up/a.jpg%2f.php',
  ]) {
    test(`never runs: ${url}`, async () => assert.equal(await outcome(url), 'pass'))
  }
})

// CVE-2026-24895 (FrankenPHP), CVE-2026-27590 and CVE-2026-45135 (Caddy): a split on a case-folded or collated copy of the path cut the path elsewhere.
describe('letters that fold to ASCII', () => {
  for (const url of [
    '/up/shell.%C5%BFphp',
    '/up/%C8%BA%C8%BA%C8%BA%C8%BA.txt.php',
    '/up/%C8%BA%C8%BA%C8%BA%C8%BA.txt/x.php',
    '/up/shell.php%E2%80%A4txt',
    '/up/x%EF%BC%8Ephp',
    '/up/x.%EF%BD%90hp',
    '/up/x.php%E2%80%8B',
  ]) {
    test(`never make a script: ${url}`, async () => assert.equal(await outcome(url), 'pass'))
  }

  test('before a script leave the cut where it is', async () => {
    tree.write('www/\u0130\u0130\u023a.php')
    assert.equal(await outcome('/%C4%B0%C4%B0%C8%BA.php/info'), '/www/\u0130\u0130\u023a.php')
  })
})

// A slash that one of two servers decodes and the other does not (CWE-436).
describe('an encoded slash or a backslash', () => {
  for (const url of ['/sub%2findex.php', '/sub%5cindex.php', '/sub\\index.php']) {
    test(`never names a file: ${url}`, async () => {
      assert.notEqual(await outcome(url), '/www/sub/index.php')
      assert.equal(await outcome(url, { frontController: '/index.php' }), '/www/index.php')
    })
  }
})

// `//host` and `/\host` are another host to a browser (CWE-601; CVE-2015-1164, serve-static).
describe('a redirect', () => {
  for (const url of [
    '//evil.example/%2e%2e/sub',
    '///evil.example/..//sub',
    '/\\evil.example/../sub',
    '//sub',
    '/evil.example\\..\\..\\sub',
  ]) {
    test(`never leads to another host: ${url}`, async () => {
      const to = await outcome(url)
      if (to.startsWith('301')) assert.match(to, /^301 \/[^/\\]/)
    })
  }

  test('does happen for such a path', async () => assert.equal(await outcome('//sub'), '301 /sub/'))

  test('never takes the Host', async () => {
    assert.equal(await outcome('/sub', {}, { host: 'evil.example', serverName: 'evil.example' }), '301 /sub/')
  })

  test('carries no line end into the header', async () => {
    assert.equal(await outcome('/sub', {}, { query: 'a\r\nSet-Cookie: b' }), '301 /sub/?a%0D%0ASet-Cookie:%20b')
  })
})

// A parameter of the route in ScriptFilename chooses among programs of one directory, and no others.
describe("a route's parameter", () => {
  const tools = { match: ['/tools/:tool'], scriptFilename: `${tree.root}/www/:tool`, root: null }
  for (const url of [
    '/tools/%2e%2e',
    '/tools/..%2f..%2fsecret',
    '/tools/..%5csecret',
    '/tools/.htaccess',
    '/tools/a%00',
  ]) {
    test(`never climbs: ${url}`, async () => assert.doesNotMatch(await outcome(url, tools), /^\//))
  }
  test('names a program', async () => assert.equal(await outcome('/tools/disk.cgi', tools), '/www/disk.cgi'))
})
