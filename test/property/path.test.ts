import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type DecodedPath, decodePath, foldPath } from '../../lib/cgi/path.ts'
import { splitScript } from '../../lib/cgi/script.ts'
import { FastCgiError } from '../../lib/errors.ts'

/** Pieces of which the paths that go wrong elsewhere are made. */
const piece = fc.oneof(
  fc.constantFrom('/', '//', '.', '..', '/..', '/../', '%2e', '%2E%2e', '%2f', '%5c', '\\', '%', '%00', '%25', '%252e'),
  fc.constantFrom(
    'a',
    '.php',
    'index.php',
    '.PHP',
    '\u017f',
    '\u212a',
    '\u0130',
    '\u023a',
    '\xe9',
    '%C3%A9',
    '%ff',
    ' ',
    '\0',
    ':',
  ),
  fc.string({ maxLength: 4 }),
)
const rawPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)

/** The decoded path, or null where it is refused as it may be. */
function decodeOrRefuse(raw: string): DecodedPath | null {
  try {
    return decodePath(raw)
  } catch (error) {
    assert.ok(error instanceof FastCgiError && error.code === 'ERR_FCGI_BAD_TARGET', String(error))
    return null
  }
}

function holds(property: (path: DecodedPath, raw: string) => void): void {
  fc.assert(
    fc.property(rawPath, (raw) => {
      const path = decodeOrRefuse(raw)
      if (path !== null) property(path, raw)
    }),
    { numRuns: 3000 },
  )
}

test('a folded path never leaves the root, whatever the input', () => {
  holds(({ path }) => {
    const name = posix.normalize(`/srv/www${path}`)
    assert.ok(name === '/srv/www/' || name.startsWith('/srv/www/'), name)
    assert.equal(name, `/srv/www${path}`)
  })
})

test('a folded path never leaves the root where backslashes separate names', () => {
  holds(({ path }) => {
    const name = posix.normalize(`/srv/www${path.replaceAll('\\', '/')}`)
    assert.ok(name === '/srv/www' || name.startsWith('/srv/www/'), name)
  })
})

test('a decoded path is bytes without controls', () => {
  holds(({ path, decoded }) => {
    assert.doesNotMatch(path + decoded, /[^\x20-\x7e\x80-\xff]/)
  })
})

test('folding a folded path changes nothing', () => {
  holds(({ path }) => assert.equal(foldPath(path), path))
})

test('a path of encoded segments decodes to them', () => {
  const segment = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((text) => !/^\.{1,2}$|[/\\]|[^\x20-\x7e\x80-\u{10ffff}]/u.test(text))
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
      const { text, unsafe } = decodePath(`/${segments.map(encodeURIComponent).join('/')}`)
      assert.equal(text, `/${segments.join('/')}`)
      assert.equal(unsafe, false)
    }),
  )
})

test('a path that names a file has as many slashes as its folding leaves, never an encoded one', () => {
  holds(({ unsafe }, raw) => {
    if (/%2f|%5c|\\/i.test(raw)) assert.equal(unsafe, true)
  })
})

const extensions = fc.constantFrom(['.php'], ['.php', '.phtml'], ['.p', '.cgi'])

test('a split cuts the path and loses nothing', () => {
  fc.assert(
    fc.property(rawPath, extensions, fc.nat(20), (path, ends, from) => {
      const split = splitScript(path, ends, from)
      if (split === null) return
      assert.equal(split.scriptName + split.pathInfo, path)
      assert.ok(ends.some((end) => split.scriptName.endsWith(end)))
      assert.ok(split.pathInfo === '' || split.pathInfo.startsWith('/'))
      assert.ok(split.scriptName.length > from)
    }),
    { numRuns: 3000 },
  )
})

test('a split is at the first segment that ends in an extension', () => {
  fc.assert(
    fc.property(rawPath, extensions, (path, ends) => {
      const segments = path.slice(1).split('/')
      const first = segments.findIndex((segment) => ends.some((end) => segment.endsWith(end)))
      const expected = first === -1 ? undefined : `/${segments.slice(0, first + 1).join('/')}`
      assert.equal(splitScript(path, ends)?.scriptName, expected)
    }),
    { numRuns: 3000 },
  )
})
