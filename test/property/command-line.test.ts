import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OptionError } from '../../lib/errors.ts'
import { splitCommandLine } from '../../lib/process/command-line.ts'

const QUOTATIONS: ReadonlyArray<(word: string) => string> = [
  (word) => `'${word.replaceAll("'", `'\\''`)}'`,
  (word) => `"${word.replaceAll(/["\\$`]/g, '\\$&')}"`,
  (word) => (word === '' ? '""' : word.replaceAll(/[\s\S]/g, '\\$&')),
]

const text = fc.string({ unit: 'grapheme' })
const blanks = fc.stringMatching(/^[ \t\r\n]+$/)

test('a command line gives back any words, however each was quoted', () => {
  const word = fc.tuple(text, fc.nat({ max: QUOTATIONS.length - 1 }), blanks)
  fc.assert(
    fc.property(
      text.filter((name) => name !== ''),
      fc.array(word),
      (program, words) => {
        const all = [[program, 0, ' '] as const, ...words]
        const line = all.map(([one, how, blank]) => `${QUOTATIONS[how]?.(one)}${blank}`).join('')
        assert.deepEqual(
          splitCommandLine(line),
          all.map(([one]) => one),
        )
      },
    ),
  )
})

test('a command line of any text is words or an OptionError, soon', () => {
  const pieces = fc.array(fc.constantFrom(...`ab \t"'\\$\n`), { maxLength: 2000 })
  fc.assert(
    fc.property(pieces, (characters) => {
      try {
        assert.notEqual(splitCommandLine(characters.join(''))[0], '')
      } catch (error) {
        assert.ok(error instanceof OptionError, String(error))
      }
    }),
  )
})
