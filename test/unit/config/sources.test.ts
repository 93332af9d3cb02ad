import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { readConfig } from '../../../lib/config/load.ts'
import { ConfigError, type ConfigSources } from '../../../lib/errors.ts'
import { folderOf } from './folder.ts'

const SERVER = '[FASTCGI_SERVER]\n ServerName php\n ServerAddr 127.0.0.1:9000\n'

/** What was read, by names inside the folder; also where the configuration is broken. */
function sourcesOf(folder: string, path: string = ''): ConfigSources & { readonly isBroken: boolean } {
  const inside = (paths: readonly string[]): readonly string[] => paths.map((one) => relative(folder, one)).sort()
  const sources = (found: ConfigSources, isBroken: boolean): ReturnType<typeof sourcesOf> => ({
    files: inside(found.files),
    directories: inside(found.directories),
    isBroken,
  })
  try {
    return sources(readConfig(join(folder, path)), false)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return sources(error, true)
  }
}

describe('what was read', () => {
  it('is the file and what it includes, by absolute paths', (context) => {
    const folder = folderOf(context, { 'a.conf': `${SERVER}@INCLUDE sub/b.conf\n`, 'sub/b.conf': '# none\n' })
    const { files, directories } = readConfig(relative(process.cwd(), join(folder, 'a.conf')))
    assert.deepEqual([files, directories], [[join(folder, 'a.conf'), join(folder, 'sub/b.conf')], []])
  })

  it('is an INI file', (context) => {
    const folder = folderOf(context, { 'a.ini': '[FASTCGI_SERVER.php]\nServerAddr = h:1\n' })
    assert.deepEqual(sourcesOf(folder, 'a.ini'), { files: ['a.ini'], directories: [], isBroken: false })
  })

  it('is the folder of each wildcard too', (context) => {
    const folder = folderOf(context, {
      'a.conf': `${SERVER}@INCLUDE sites/*/*.conf\n`,
      'sites/x/b.conf': '',
      'sites/y/c.txt': '',
    })
    assert.deepEqual(sourcesOf(folder, 'a.conf'), {
      files: ['a.conf', 'sites/x/b.conf'],
      directories: ['sites', 'sites/x', 'sites/y'],
      isBroken: false,
    })
  })

  it('is the folder in which that of a wildcard will appear', (context) => {
    const folder = folderOf(context, { 'a.conf': `${SERVER}@INCLUDE x/y/*.conf\n@INCLUDE a.conf/*\n` })
    assert.deepEqual(sourcesOf(folder, 'a.conf'), { files: ['a.conf'], directories: [''], isBroken: false })
  })

  it('is the folder in which a file behind a wildcard will appear', (context) => {
    const folder = folderOf(context, { 'a.conf': `${SERVER}@INCLUDE sites/*/b.conf\n`, 'sites/x/c.conf': '' })
    const { directories } = sourcesOf(folder, 'a.conf')
    assert.deepEqual(directories, ['sites', 'sites/x'])
  })

  it('is a Monkey 1.6 directory: the plugin’s file, the sites and their folder, monkey.conf', (context) => {
    const site = '[HOST]\n ServerName a\n DocumentRoot /a\n[HANDLERS]\n Match a fastcgi\n'
    const files = {
      'plugins/fastcgi/fastcgi.conf': SERVER,
      'sites/default': site,
      'sites/b': site,
      'sites/b~': '',
      'monkey.conf': '[SERVER]\n',
    }
    const read = ['monkey.conf', 'plugins/fastcgi/fastcgi.conf', 'sites/b', 'sites/default']
    const folder = folderOf(context, files)
    assert.deepEqual(sourcesOf(folder), { files: read, directories: ['sites'], isBroken: false })
    assert.deepEqual(sourcesOf(folder, 'plugins/fastcgi/fastcgi.conf'), sourcesOf(folder))
    const { 'monkey.conf': _monkey, ...others } = files
    assert.deepEqual(sourcesOf(folderOf(context, others)), { files: read, directories: ['', 'sites'], isBroken: false })
  })

  it('is also where sites/ and another plugin’s file would be', (context) => {
    const folder = folderOf(context, { 'fastcgi.conf': SERVER })
    assert.deepEqual(sourcesOf(folder), {
      files: ['fastcgi.conf', 'plugins/fastcgi/fastcgi.conf'],
      directories: [''],
      isBroken: false,
    })
  })
})

describe('what was read of a broken configuration', () => {
  const cases: ReadonlyArray<
    readonly [string, Readonly<Record<string, string>>, readonly string[], readonly string[]]
  > = [
    ['all of a file with mistakes', { 'a.conf': '[NO]\n@INCLUDE b.conf\n', 'b.conf': 'x' }, ['a.conf', 'b.conf'], []],
    ['an included file that is missing', { 'a.conf': `${SERVER}@INCLUDE x/b.conf\n` }, ['a.conf', 'x/b.conf'], ['']],
    ['the file itself, when it is missing', {}, ['a.conf'], ['']],
  ]
  for (const [what, files, read, directories] of cases) {
    it(`is ${what}`, (context) => {
      assert.deepEqual(sourcesOf(folderOf(context, files), 'a.conf'), { files: read, directories, isBroken: true })
    })
  }

  it('is a directory without a plugin’s file, and a site that is missing', (context) => {
    const empty = folderOf(context, { 'x.txt': '' })
    assert.deepEqual(sourcesOf(empty).files, ['fastcgi.conf', 'plugins/fastcgi/fastcgi.conf'])
    assert.deepEqual(sourcesOf(empty).directories, [''])
    const folder = folderOf(context, { 'plugins/fastcgi/fastcgi.conf': SERVER, 'sites/b': '[HOST]\n' })
    assert.ok(sourcesOf(folder).files.includes('sites/default'))
    assert.ok(sourcesOf(folder).isBroken)
  })

  it('is a link that leads nowhere', (context) => {
    const folder = folderOf(context, { 'a.conf': `${SERVER}@INCLUDE b.conf\n` })
    symlinkSync('nowhere', join(folder, 'b.conf'))
    assert.deepEqual(sourcesOf(folder, 'a.conf'), { files: ['a.conf', 'b.conf'], directories: [''], isBroken: true })
  })
})
