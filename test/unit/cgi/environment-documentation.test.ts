import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { buildEnvironment } from '../../../lib/cgi/environment.ts'
import { connectionNominees, headerVariable } from '../../../lib/cgi/header-variable.ts'
import { factsOf } from '../../support/facts.ts'

const page = readFileSync(new URL('../../../docs/environment.md', import.meta.url), 'utf8')
const [, computed = '', headers = ''] = page.split(/^## /m)

/** The first cells of the table's rows. */
function firstCells(section: string): readonly string[] {
  return [...section.matchAll(/^\| (`.+?) \|/gm)].map(([, cell = '']) => cell)
}

function namesIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}

const script = { scriptName: '/a.php', pathInfo: '/b', scriptFilename: '/srv/a.php', documentRoot: '/srv' }
const body = { contentLength: 1, contentType: 'a/b', dropContentEncoding: false }
const client = { subject: 'CN=a', issuer: 'CN=b', commonName: 'a', serial: '1', validFrom: 'x', validTo: 'y' }

test('docs/environment.md has each computed variable, in the order of sending its script first, and no other', () => {
  const facts = factsOf('/', { scheme: 'https', host: undefined, tls: { protocol: 'p', cipher: 'c', client } })
  const sent = [...buildEnvironment({ facts, script, body }).keys()]
  assert.deepEqual(firstCells(computed).flatMap(namesIn).sort(), sent.sort())
})

test('docs/environment.md says always of what even the barest request has', () => {
  const facts = factsOf('/', { host: undefined, remotePort: '', serverAddress: '' })
  const bare = { ...script, pathInfo: '', documentRoot: '' }
  const sent = [
    ...buildEnvironment({ facts, script: bare, body: { ...body, contentLength: null, contentType: undefined } }).keys(),
  ]
  const always = [...computed.matchAll(/^\| `([A-Z_]+)` .*\| always \|$/gm)].map(([, name]) => name)
  assert.deepEqual(always.sort(), sent.sort())
})

test('docs/environment.md names headers that are not passed on', () => {
  const names = firstCells(headers).flatMap(namesIn)
  assert.ok(names.length > 10)
  for (const name of names) {
    if (name === 'Content-Encoding') continue
    assert.equal(headerVariable(name.replace('*', 'Status')), null, name)
  }
})

test('docs/environment.md names what Connection cannot take away', () => {
  const [, list = ''] = /access control relies on \(CVE-2022-31813\): (.*) and their like/.exec(headers) ?? []
  const names = list.split(', ').map((name) => name.replace('-*', '-Any').replace('*', ''))
  assert.ok(names.length > 10)
  assert.deepEqual([...connectionNominees(names.join(','))], [])
})
