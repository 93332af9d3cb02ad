import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig, readConfig } from '../../../lib/config/load.ts'
import { ConfigError } from '../../../lib/errors.ts'
import type { LocationOptions } from '../../../lib/options/types.ts'
import { folderOf } from './folder.ts'

const SERVER = '[FASTCGI_SERVER.php]\nServerPath = /run/php.sock\n'

describe('an INI file', () => {
  it('gives names in its headers and lists in Key[]', (context) => {
    const text = `; c\n# c\n\ufeff\n${SERVER}MaxConnections=5\n\n[FASTCGI_LOCATION.app]\nServerNames[]=php\nKeepAlive = On\nMatch[] = ^/a b$\nMatch[] = "/c"\nIndex = a.php b.php\n`
    const folder = folderOf(context, { 'a.ini': text.replace('\ufeff\n', '') })
    assert.deepEqual(loadConfig(join(folder, 'a.ini')), {
      servers: [{ name: 'php', address: '/run/php.sock', maxConnections: 5 }],
      locations: [
        { name: 'app', servers: ['php'], keepAlive: true, match: [/^\/a b$/s, /\/c/s], index: ['a.php', 'b.php'] },
      ],
    })
  })

  function locationOf(lines: string, folder: string): LocationOptions | undefined {
    return loadConfig(join(folder, lines)).locations?.[0]
  }

  it('keeps ; and # and backslashes in values', (context) => {
    const lines = 'Param[] = A a;b#c\\d\nParam[] = B "x"\nParam = C = y\nParam[] = D\nMatch[] = \\.php[;#\\]'
    const folder = folderOf(context, { 'a.ini': `${SERVER}[FASTCGI_LOCATION]\nServerNames = php\n${lines}\n` })
    const location = locationOf('a.ini', folder)
    assert.deepEqual(location?.params, { A: 'a;b#c\\d', B: '"x"', C: 'y', D: '' })
    assert.deepEqual(location?.match, [/\.php[;#\\]/s])
  })

  it('reads nothing in quotes as an escape', (context) => {
    const lines = 'Match = "\\.php\\b"\nParam[] = \'A  \\n \''
    const folder = folderOf(context, { 'a.ini': `${SERVER}[FASTCGI_LOCATION]\nServerNames = php\n${lines}\n` })
    const location = locationOf('a.ini', folder)
    assert.deepEqual(location?.match, [/\.php\b/s])
    assert.deepEqual(location?.params, { A: '\\n ' })
  })

  it('keeps true, false and null as text', (context) => {
    const lines = 'Param[] = A true\nLocationName = null\nParam[]=B null'
    const folder = folderOf(context, { 'a.ini': `${SERVER}[FASTCGI_LOCATION]\nServerNames = php\n${lines}\n` })
    const location = locationOf('a.ini', folder)
    assert.deepEqual([location?.name, location?.params], ['null', { A: 'true', B: 'null' }])
  })

  it('keeps sections of one name apart, and dots in a name', (context) => {
    const text =
      '[FASTCGI_SERVER]\nServerName=a\nServerAddr=h:1\n[FASTCGI_SERVER]\nServerName=b\nServerAddr=h:2\n[fastcgi_server.c.d]\nServerAddr=h:3\n'
    const folder = folderOf(context, { 'a.INI': text })
    assert.deepEqual(
      loadConfig(join(folder, 'a.INI')).servers?.map(({ name, address }) => `${name} ${address}`),
      ['a h:1', 'b h:2', 'c.d h:3'],
    )
  })

  it('warns of a key that stands twice', (context) => {
    const folder = folderOf(context, { 'a.ini': `${SERVER}ServerPath=/other\n` })
    const { options, warnings } = readConfig(join(folder, 'a.ini'))
    assert.equal(options.servers?.[0]?.address, '/run/php.sock')
    assert.match(warnings[0] ?? '', /a\.ini:3: ServerPath stands in this section already; .*a\.ini:2 counts/)
  })

  const mistakes: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['a line without =', `${SERVER}KeepAlive On`, /:3: a line without key or =: KeepAlive On; write Key = value/],
    ['a line without a key', `${SERVER}= x`, /:3: a line without key or =/],
    ['__proto__', `${SERVER}__proto__ = x`, /:3: a line without key or =/],
    [
      'a word for a flag',
      `${SERVER}[FASTCGI_LOCATION]\nServerNames=php\nKeepAlive=true`,
      /:5: KeepAlive: "true" is not allowed here; give On or Off/,
    ],
    [
      'a comment behind a value',
      `${SERVER}[FASTCGI_LOCATION]\nServerNames=php\nKeepAlive=On ; yes`,
      /:5: KeepAlive: "On ; yes"/,
    ],
    ['a list of what is none', `${SERVER}MaxConnections[]=3`, /:3: MaxConnections\[\] is no list/],
    [
      'an open header',
      `[FASTCGI_SERVER\nx=1\n${SERVER}`,
      /^[^\n]*:1: a section header that is none: \[FASTCGI_SERVER; [^\n]*$/,
    ],
    ['a line before any section', 'KeepAlive=On', /:1: KeepAlive stands before any section/],
    ['two names of one server', `${SERVER}ServerName=other`, /:3: ServerName "other" and the header's "php" differ/],
    ['an empty value', `${SERVER}MaxConnections=`, /:3: MaxConnections has no value/],
    [
      'a pattern',
      `${SERVER}[FASTCGI_LOCATION]\nServerNames=php\nMatch[] = a(`,
      /:5: Match: "a\(", column 12: \( without \)/,
    ],
  ]
  for (const [what, text, message] of mistakes) {
    it(`refuses ${what}, with its line`, (context) => {
      const folder = folderOf(context, { 'a.ini': text })
      assert.throws(
        () => loadConfig(join(folder, 'a.ini')),
        (error) => error instanceof ConfigError && message.test(error.message),
      )
    })
  }
})
