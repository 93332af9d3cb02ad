import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseLine, readDirectives } from '../../../lib/config/directives.ts'
import { Findings } from '../../../lib/config/findings.ts'
import { ConfigError } from '../../../lib/errors.ts'
import { folderOf } from './folder.ts'

describe('parseLine', () => {
  const entries: ReadonlyArray<readonly [line: string, key: string, value: string, column: number]> = [
    ['\tServerName php', 'ServerName', 'php', 13],
    ['    ServerName      php   ', 'ServerName', 'php', 21],
    ['ServerName\tphp', 'ServerName', 'php', 12],
    ['ServerName = php', 'ServerName', 'php', 14],
    ['ServerName\t=\tphp', 'ServerName', 'php', 14],
    ['Match =/a', 'Match', '=/a', 7],
    ['Match /a=b # c', 'Match', '/a=b # c', 7],
    ['Match "/a"', 'Match', '"/a"', 7],
    ['Key=value', 'Key=value', '', 10],
    ['KeepAlive', 'KeepAlive', '', 10],
    ['KeepAlive =', 'KeepAlive', '', 12],
    ['--Key a', '--Key', 'a', 7],
  ]
  for (const [line, key, value, column] of entries) {
    it(`splits ${JSON.stringify(line)}`, () => assert.deepEqual(parseLine(line), { kind: 'entry', key, value, column }))
  }

  for (const line of ['', '   ', '\t', '# a', '\t# ServerName x', '---', '--- a', '  ---']) {
    it(`passes over ${JSON.stringify(line)}`, () => assert.deepEqual(parseLine(line), { kind: 'blank' }))
  }

  it('reads a section header, also indented, and ignores what follows', () => {
    assert.deepEqual(parseLine('[FASTCGI_SERVER]'), { kind: 'section', name: 'FASTCGI_SERVER' })
    assert.deepEqual(parseLine('\t[ A B ] x ]'), { kind: 'section', name: 'A B' })
  })

  it('reads @INCLUDE in any case', () => {
    assert.deepEqual(parseLine('@INCLUDE  a b.conf '), { kind: 'include', path: 'a b.conf' })
    assert.deepEqual(parseLine('\t@include x'), { kind: 'include', path: 'x' })
  })

  for (const line of ['[A', '[]', '[ ]', '@SET a=b', '@INCLUDE', '@']) {
    it(`refuses ${line}`, () => assert.equal(parseLine(line).kind, 'wrong'))
  }
})

describe('readDirectives', () => {
  /** Keys and values by section, and what was noticed. */
  function read(file: string): { sections: unknown; warnings: readonly string[] } {
    const findings = new Findings()
    const sections = readDirectives(file, findings)
    findings.throwIfAny()
    const plain = sections.map(({ name, entries }) => [
      name,
      ...entries.map(({ key, value, line }) => `${line} ${key}=${value}`),
    ])
    return { sections: plain, warnings: findings.warnings }
  }

  it('keeps sections of one name apart', (context) => {
    const folder = folderOf(context, { 'a.conf': '[A]\n x 1\n[a]\n x 2\n' })
    assert.deepEqual(read(join(folder, 'a.conf')).sections, [
      ['A', '2 x=1'],
      ['a', '4 x=2'],
    ])
  })

  it('takes CRLF, CR, a byte order mark and very long lines', (context) => {
    const long = 'y'.repeat(100_000)
    const folder = folderOf(context, { 'a.conf': `\ufeff[A]\r\n\tx 1\r\r\n\tz ${long}\r\n` })
    assert.deepEqual(read(join(folder, 'a.conf')).sections, [['A', '2 x=1', `4 z=${long}`]])
  })

  it('includes files relative to the including one, wildcards in the order of names', (context) => {
    const folder = folderOf(context, {
      'a.conf': '[A]\n x 1\n@INCLUDE sub/b.conf\n',
      'sub/b.conf': ' y 2\n@INCLUDE *.part\n',
      'sub/2.part': '[C]\n',
      'sub/1.part': '[B]\n z 3\n',
      'sub/.hidden.part': '[D]\n',
    })
    assert.deepEqual(read(join(folder, 'a.conf')).sections, [['A', '2 x=1', '1 y=2'], ['B', '2 z=3'], ['C']])
  })

  it('knows ? and [ ] in an include', (context) => {
    const folder = folderOf(context, {
      'a.conf': '@INCLUDE [!b]?.x\n',
      'a1.x': '[A1]',
      'b1.x': '[B1]',
      'a12.x': '[A12]',
    })
    assert.deepEqual(read(join(folder, 'a.conf')).sections, [['A1']])
  })

  it('warns of a wildcard that names no file', (context) => {
    const folder = folderOf(context, { 'a.conf': '[A]\n@INCLUDE none/*.conf\n' })
    assert.deepEqual(read(join(folder, 'a.conf')).warnings, [`${folder}/a.conf:2: @INCLUDE none/*.conf names no file`])
  })

  const mistakes: ReadonlyArray<readonly [string, Readonly<Record<string, string | Uint8Array>>, RegExp]> = [
    ['a missing include', { 'a.conf': '\n@INCLUDE b.conf' }, /a\.conf:2: .*b\.conf cannot be read: ENOENT/],
    [
      'a circle',
      { 'a.conf': '@INCLUDE b.conf', 'b.conf': '\n@INCLUDE a.conf' },
      /b\.conf:2: @INCLUDE a\.conf goes in a circle/,
    ],
    ['includes without end', { 'a.conf': '@INCLUDE b/*', ...doubling(40) }, /one include too many; 199 are allowed$/],
    ['a line before any section', { 'a.conf': '# x\nKeepAlive On' }, /a\.conf:2: KeepAlive stands before any section/],
    ['an open header', { 'a.conf': '[A\n x 1' }, /^[^\n]*a\.conf:1: a section header without \]: \[A; write \[NAME\]$/],
    [
      'a binary file',
      { 'a.conf': new Uint8Array([0xff, 0xfe, 0x5b, 0]) },
      /a\.conf: is no text in UTF-8: it holds NUL bytes/,
    ],
  ]
  for (const [what, files, message] of mistakes) {
    it(`refuses ${what}`, (context) => {
      const folder = folderOf(context, files)
      assert.throws(
        () => read(join(folder, 'a.conf')),
        (error) => error instanceof ConfigError && message.test(error.message),
      )
    })
  }

  it('reads Latin-1 with a warning', (context) => {
    const folder = folderOf(context, { 'a.conf': Buffer.from('# \xe9\n[A]\n', 'latin1') })
    const { sections, warnings } = read(join(folder, 'a.conf'))
    assert.deepEqual(sections, [['A']])
    assert.match(warnings[0] ?? '', /a\.conf: is not in UTF-8; it is read as Latin-1/)
  })
})

/** Files of which each includes the next twice. */
function doubling(depth: number): Record<string, string> {
  const files: Record<string, string> = { 'b/first': '@INCLUDE ../d/0' }
  for (let index = 0; index < depth; index += 1) files[`d/${index}`] = `@INCLUDE ${index + 1}\n@INCLUDE ${index + 1}\n`
  return { ...files, [`d/${depth}`]: '' }
}
