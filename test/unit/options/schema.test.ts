import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Key } from '../../../lib/options/key.ts'
import { gatewayKeys, locationKeys, serverKeys } from '../../../lib/options/schema.ts'
import { referenceTable } from './reference.ts'

type Table = Readonly<Record<string, Key<unknown>>>
const tables: Readonly<Record<string, Table>> = { server: serverKeys, location: locationKeys, gateway: gatewayKeys }
const keys = Object.values(tables).flatMap((table) => Object.entries(table))
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

describe('the schema', () => {
  it('calls each directive by one name in one table', () => {
    const names = keys.flatMap(([, { directives }]) => directives.map((name) => name.toLowerCase()))
    assert.equal(new Set(names).size, names.length)
  })

  it('takes its own defaults as a file writes them', () => {
    for (const [, { written, kind, absent, directives }] of keys) {
      if (written !== null) assert.deepEqual(kind.resolve(kind.read(written), directives[0] ?? ''), absent)
    }
  })

  it('calls a file’s directive the CamelCase of the option where no other name is older', () => {
    const older = new Set(['name', 'address', 'servers', 'match', 'hosts', 'root', 'params', 'trustProxy'])
    for (const [option, { directives }] of keys) {
      if (!older.has(option)) assert.deepEqual(directives, [option.charAt(0).toUpperCase() + option.slice(1)])
    }
  })

  for (const [name, table] of Object.entries(tables)) {
    it(`is what docs/configuration.md shows of a ${name}`, () => {
      const shown = new RegExp(`<!-- table: ${name} -->\n(.*?)\n<!-- end -->`, 's').exec(
        read('docs/configuration.md'),
      )?.[1]
      assert.equal(shown, referenceTable(table))
    })
  }

  it('is whole in conf/fastcgi.conf, each directive with its default', () => {
    const text = read('conf/fastcgi.conf')
    for (const [, { directives, written }] of keys) {
      for (const directive of directives) {
        const line = new RegExp(`^\\t(?:# )?${directive} (.+)$`, 'm').exec(text)
        assert.ok(line, `conf/fastcgi.conf lacks ${directive}`)
        if (written !== null) assert.equal(line[0], `\t# ${directive} ${written}`)
      }
    }
  })

  it('is all that conf/fastcgi.conf comments out', () => {
    const known = new Set(keys.flatMap(([, { directives }]) => directives))
    for (const [, directive] of read('conf/fastcgi.conf').matchAll(/^\t# (\w+)/gm)) {
      assert.ok(known.has(directive ?? ''), `conf/fastcgi.conf has ${directive}, the schema has not`)
    }
  })
})
