import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { privateDirectory } from './support/private-directory.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))
const lib = join(repository, 'lib')

const LONGEST_FILE = 250
const LONGEST_FUNCTION = 40

/** A file of lib/ and what it imports. */
interface Source {
  /** Below lib/. */
  readonly path: string
  readonly text: string
  /** Other files, below lib/. */
  readonly files: readonly string[]
  readonly packages: readonly string[]
  readonly reexports: boolean
}

/** A row of the table of docs/architecture.md. */
interface Room {
  readonly floor: number
  readonly mayImport: readonly string[]
  /** Packages, each with the only file that imports it. */
  readonly packages: ReadonlyMap<string, string>
}

const sources: ReadonlyMap<string, Source> = new Map(
  readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, readSource(path)]),
)

function readSource(path: string): Source {
  const text = readFileSync(join(lib, path), 'utf8')
  const statements = [
    ...text.matchAll(/^(import|export)\b[^'"]*?\bfrom '([^']+)'|^(import) '([^']+)'|\b(import)\('([^']+)'\)/gm),
  ]
  const targets = statements.map((found) => found[2] ?? found[4] ?? found[6] ?? '')
  return {
    path,
    text,
    files: targets
      .filter((target) => target.startsWith('.'))
      .map((target) => relative(lib, join(lib, dirname(path), target))),
    packages: targets.filter((target) => !target.startsWith('.') && !target.startsWith('node:')),
    reexports: statements.some((found) => found[1] === 'export'),
  }
}

/** `http/handler.ts` is in the room http, `errors.ts` is a room of its own. */
function roomOf(path: string): string {
  return path.split('/')[0]?.replace(/\.ts$/, '') ?? ''
}

function readRooms(): ReadonlyMap<string, Room> {
  const text = readFileSync(join(repository, 'docs/architecture.md'), 'utf8')
  const rows = text.matchAll(/^\| (\d+) \| ([\w, ]+) \|(.*?)\|(.*)\|$/gm)
  const rooms = new Map<string, Room>()
  for (const [, floor, names = '', mayImport = '', packages = ''] of rows) {
    const owned = [...packages.matchAll(/`([^`]+)` \(([^)]+)\)/g)]
    for (const name of names.split(', ')) {
      rooms.set(name, {
        floor: Number(floor),
        mayImport: mayImport.match(/\w+/g) ?? [],
        packages: new Map(owned.map(([, owner = '', file = '']) => [owner, file])),
      })
    }
  }
  return rooms
}

/** Every crossing from one room into another, as `http → cgi`, with a file that makes it. */
function crossings(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { path, files } of sources.values()) {
    for (const file of files) {
      if (roomOf(file) !== roomOf(path)) found.set(`${roomOf(path)} → ${roomOf(file)}`, path)
    }
  }
  return found
}

/** A chain of imports that comes back to its first file; null where there is none. */
function findCycle(): readonly string[] | null {
  const done = new Set<string>()
  const visit = (path: string, chain: readonly string[]): readonly string[] | null => {
    if (chain.includes(path)) return [...chain.slice(chain.indexOf(path)), path]
    if (done.has(path)) return null
    for (const file of sources.get(path)?.files ?? []) {
      const cycle = visit(file, [...chain, path])
      if (cycle !== null) return cycle
    }
    done.add(path)
    return null
  }
  for (const path of sources.keys()) {
    const cycle = visit(path, [])
    if (cycle !== null) return cycle
  }
  return null
}

describe('the rooms of lib/', () => {
  const rooms = readRooms()

  it('are those of the table in docs/architecture.md', () => {
    assert.deepEqual([...rooms.keys()].sort(), [...new Set([...sources.keys()].map(roomOf))].sort())
  })

  it('import only rooms that the table allows them', () => {
    const refused = [...crossings()].filter(([crossing]) => {
      const [from = '', to = ''] = crossing.split(' → ')
      return !rooms.get(from)?.mayImport.includes(to)
    })
    assert.deepEqual(refused, [])
  })

  it('are allowed only rooms on lower floors, and none that they do not need', () => {
    const used = crossings()
    for (const [name, { floor, mayImport }] of rooms) {
      for (const other of mayImport) {
        assert.ok((rooms.get(other)?.floor ?? Number.NaN) < floor, `${name} may import ${other}, which is not below it`)
      }
    }
    const needed = [...rooms].flatMap(([name, { mayImport }]) => mayImport.map((other) => `${name} → ${other}`))
    assert.deepEqual(
      needed.filter((crossing) => !used.has(crossing)),
      [],
    )
  })

  it('import a package only in the file that owns it, and every dependency has its owner', () => {
    const owners = [...rooms].flatMap(([room, { packages }]) =>
      [...packages].map(([name, file]) => `${room}/${file}.ts: ${name}`),
    )
    const imports = [...sources.values()].flatMap(({ path, packages }) => packages.map((name) => `${path}: ${name}`))
    assert.deepEqual([...new Set(imports)].sort(), owners.sort())
    const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    assert.deepEqual(owners.map((owner) => owner.split(': ')[1]).sort(), Object.keys(dependencies).sort())
  })

  it('have no import cycle, type imports counted', () => {
    assert.equal(findCycle(), null)
  })

  it('write to the console only in cli', () => {
    const writers = [...sources.values()]
      .filter(({ text }) => /\bconsole\.\w+\(/.test(text))
      .map(({ path }) => roomOf(path))
    assert.deepEqual(
      writers.filter((room) => room !== 'cli'),
      [],
    )
  })

  it('have a barrel only where the package has a face, which holds nothing else', () => {
    const barrels = [...sources.values()].filter(({ reexports }) => reexports).map(({ path }) => path)
    assert.deepEqual(barrels.sort(), ['index.ts', 'responder/index.ts'])
    const lines = barrels.flatMap((path) => sources.get(path)?.text.trim().split('\n') ?? [])
    assert.deepEqual(
      lines.filter((line) => !/^export (type )?(\{.*\}|\*) from '.*'$/.test(line)),
      [],
    )
  })
})

describe('the files of lib/', () => {
  it(`have at most ${LONGEST_FILE} lines`, () => {
    const long = [...sources.values()].filter(({ text }) => text.trimEnd().split('\n').length > LONGEST_FILE)
    assert.deepEqual(
      long.map(({ path }) => path),
      [],
    )
  })

  it(`have functions of at most ${LONGEST_FUNCTION} lines, as biome counts them`, () => {
    const directory = privateDirectory('biome')
    const rule = { level: 'error', options: { maxLines: LONGEST_FUNCTION } }
    const rules = { recommended: false, complexity: { noExcessiveLinesPerFunction: rule } }
    writeFileSync(
      join(directory.path, 'biome.json'),
      JSON.stringify({ linter: { rules }, formatter: { enabled: false } }),
    )
    const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [biome, 'lint', `--config-path=${directory.path}`, '--max-diagnostics=none', lib],
      { encoding: 'utf8' },
    )
    directory.remove()
    assert.equal(status, 0, stdout + stderr)
    assert.match(stdout + stderr, new RegExp(`Checked ${sources.size} files`))
  })

  it('are named by kebab-case nouns, never util, helper or manager', () => {
    for (const path of sources.keys()) {
      assert.match(path, /^([a-z]+\/){0,2}[a-z]+(-[a-z]+)*\.ts$/)
      assert.doesNotMatch(path, /util|helper|manager|common|misc/)
    }
  })
})
