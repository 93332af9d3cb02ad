import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OptionError } from '../../../lib/errors.ts'
import { splitCommandLine } from '../../../lib/process/command-line.ts'

describe('splitCommandLine', () => {
  const cases: ReadonlyArray<readonly [line: string, words: readonly string[]]> = [
    ['php-fpm', ['php-fpm']],
    ['  php-cgi \t -c\r\n x ', ['php-cgi', '-c', 'x']],
    [`'/srv/my app' "b c"`, ['/srv/my app', 'b c']],
    [`a'b'"c"d`, ['abcd']],
    [`a '' ""`, ['a', '', '']],
    ['a\\ b \\\\ \\"', ['a b', '\\', '"']],
    [`a "\\"\\\\\\$\\\`" "\\n"`, ['a', '"\\$`', '\\n']],
    [`a '\\' "'" '"'`, ['a', '\\', "'", '"']],
    [`a 'b\nc'`, ['a', 'b\nc']],
    ['a\u00a0b ü 💥', ['a\u00a0b', 'ü', '💥']],
    ['a $HOME `x` $(y) * ? ~ | ; & > # !', ['a', '$HOME', '`x`', '$(y)', '*', '?', '~', '|', ';', '&', '>', '#', '!']],
  ]
  for (const [line, words] of cases) {
    it(`splits ${JSON.stringify(line)}`, () => assert.deepEqual(splitCommandLine(line), words))
  }

  for (const line of [`a 'b`, 'a "b', `'`, 'a "\\"', 'a\\', `'a' "b' c`]) {
    it(`refuses ${JSON.stringify(line)}, whose quotation does not end`, () => {
      assert.throws(
        () => splitCommandLine(line),
        new OptionError(`a quotation does not end in ${JSON.stringify(line)}`),
      )
    })
  }

  for (const line of ['', '  \n', `''`, `"" a`]) {
    it(`refuses ${JSON.stringify(line)}, which names no program`, () => {
      assert.throws(() => splitCommandLine(line), /names no program/)
    })
  }
})
