import assert from 'node:assert/strict'
import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { FastCgiError } from '../../lib/errors.ts'
import { Resolver } from '../../lib/http/resolution/resolution.ts'
import type { ResolvableLocation } from '../../lib/http/resolution/site.ts'
import { documentTree } from '../support/document-tree.ts'
import { factsOf, phpLocation } from '../support/facts.ts'

// What becomes of a request, asked of a disk: the name never leaves the root, and no link leads out where links are to stay inside.

const tree = documentTree(['www/', 'www-2/x.php', 'outside/x.php', 'outside/a/x.php'])
after(() => tree.remove())
const root = `${tree.root}/www`

/** The file that would run or be sent, as bytes; null where none would. Refusals are those of hostile input alone. */
async function fileFor(url: string, given: Partial<ResolvableLocation>): Promise<string | null> {
  try {
    const resolution = await new Resolver([phpLocation(root, given)]).resolve(factsOf(url))
    if (resolution.kind === 'script') return resolution.script.scriptFilename
    return resolution.kind === 'static' ? root + resolution.path : null
  } catch (error) {
    assert.ok(error instanceof FastCgiError, String(error))
    assert.match(error.code, /^ERR_FCGI_(?:BAD_TARGET|SCRIPT_HIDDEN)$/)
    return null
  }
}

function isBelow(name: string, folder: string): boolean {
  return name === folder || name.startsWith(`${folder}/`)
}

const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '.',
    '..',
    '/..',
    '/../',
    '/./',
    '%2e',
    '%2E%2e',
    '%2f',
    '%5c',
    '\\',
    '%00',
    '%252e',
    '%2e%2e%2f',
    '..\\',
    '%3f',
    ';',
  ),
  fc.constantFrom(
    'a',
    'b',
    'x.php',
    'index.php',
    '.php',
    'X.PHP',
    '~1',
    '::$DATA',
    '\u017f',
    '\xe9',
    '%C3%A9',
    '%ff',
    ' ',
    '%20',
    tree.root,
    'outside',
  ),
  fc.string({ maxLength: 4 }),
)
const anyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`.replaceAll('?', '%3f'))

const anyLocation = fc.record({
  checkLocal: fc.boolean(),
  static: fc.boolean(),
  symlinks: fc.constantFrom('follow' as const, 'inside' as const),
  frontController: fc.constantFrom(null, '/index.php'),
  scriptExtensions: fc.constantFrom(['.php'], ['.php', '.p', '.txt']),
  match: fc.constantFrom([/\.php(?:\/|$)/], [/^/]),
})

test('the name never leaves the root, whatever the target and the location', async () => {
  await fc.assert(
    fc.asyncProperty(anyPath, anyLocation, async (path, given) => {
      const file = await fileFor(path, given)
      if (file === null) return
      const name = posix.normalize(file)
      assert.ok(isBelow(name, root), name)
      assert.equal(name, file)
      assert.doesNotMatch(file, /[^\x20-\xff]|\\/)
    }),
    { numRuns: 3000 },
  )
})

const scriptFilename = '/srv/tools/:tool/run-:tool.cgi'

test('the name of a program with a parameter of the route never leaves its folder', async () => {
  await fc.assert(
    fc.asyncProperty(anyPath, fc.constantFrom('/t/:tool', '/t/*tool', /^\/t\/(?<tool>.*)/s), async (path, route) => {
      const file = await fileFor(`/t${path}`, { scriptFilename, match: [route], root: null })
      if (file === null) return
      assert.doesNotMatch(file, /\\|\/\./)
      // A parameter that is left out is empty: the operator's own route allows it.
      assert.match(file, /^\/srv\/tools\/[^/]*\/run-[^/]*\.cgi$/)
    }),
    {
      numRuns: 3000,
      examples: [
        ['/..', '/t/*tool'],
        ['/a%2fb', /^\/t\/(?<tool>.*)/s],
        ['/.', '/t/:tool'],
      ],
    },
  )
})

/** Names that trees and paths are made of. */
const name = fc.constantFrom('a', 'b', 'x.php', 'index.php')
const target = fc.constantFrom(
  ...[
    '.',
    '..',
    '../..',
    '../../..',
    'a',
    'b',
    'x.php',
    '../a',
    '../b/x.php',
    '../www',
    '../www/x.php',
    '../www-2',
    '../www-2/x.php',
  ],
  ...[
    '../outside',
    '../outside/x.php',
    '../../outside/a',
    'a/../../outside',
    '/',
    '/.',
    root,
    `${root}/../outside/x.php`,
    `${root}/a`,
  ],
  ...[`${tree.root}/outside`, `${tree.root}/www-2/x.php`, `${root}-2/x.php`, 'nowhere', './x.php/'],
)
const entry = fc.record({
  at: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
  what: fc.oneof({ weight: 2, arbitrary: target }, { weight: 1, arbitrary: fc.constantFrom('file', 'folder') }),
})
const linkedPath = fc
  .array(fc.oneof({ weight: 4, arbitrary: name }, { weight: 1, arbitrary: fc.constantFrom('..', '.', '') }), {
    maxLength: 6,
  })
  .map((names) => `/${names.join('/')}`)

/** Fills the root anew; an entry whose place is taken or is no folder is left out. */
function plant(entries: readonly { readonly at: string; readonly what: string }[]): void {
  rmSync(root, { recursive: true })
  mkdirSync(root)
  for (const { at, what } of entries) {
    try {
      const place = join(root, at)
      if (isBelow(place, root)) plantOne(place, what)
    } catch (error) {
      assert.match((error as NodeJS.ErrnoException).code ?? '', /^(?:EEXIST|ENOTDIR|ELOOP|ENOENT|EISDIR)$/)
    }
  }
}

/** Nothing is written through a link that leads out. */
function plantOne(place: string, what: string): void {
  mkdirSync(dirname(place), { recursive: true })
  if (!isBelow(realpathSync(dirname(place)), root)) return
  if (what === 'folder') mkdirSync(place)
  else if (what === 'file') writeFileSync(place, 'inside', { flag: 'wx' })
  else symlinkSync(what, place)
}

test('the real path never leaves the root where links are to stay inside, on a tree full of links', async () => {
  let inside = 0
  let outside = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { minLength: 5, maxLength: 30 }),
      fc.array(linkedPath, { minLength: 10, maxLength: 20 }),
      fc.record({
        static: fc.boolean(),
        resolveRoot: fc.boolean(),
        frontController: fc.constantFrom(null, '/index.php', '/a/x.php'),
      }),
      async (entries, paths, given) => {
        plant(entries)
        for (const path of paths) {
          const followed = await fileFor(path, { ...given, match: [/^/], symlinks: 'follow' })
          const held = await fileFor(path, { ...given, match: [/^/], symlinks: 'inside' })
          if (held !== null) {
            assert.ok(isBelow(realpathSync(held), root), `${path} is ${realpathSync(held)}`)
            inside += 1
          }
          if (followed !== null && leaves(followed)) outside += 1
        }
      },
    ),
    { numRuns: 120 },
  )
  // Otherwise the trees are too tame to prove anything.
  assert.ok(inside > 10 && outside > 10, `${inside} inside, ${outside} outside`)
})

function leaves(file: string): boolean {
  try {
    return !isBelow(realpathSync(file), root)
  } catch {
    return false
  }
}
