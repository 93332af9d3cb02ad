import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { translatePosixRegex } from '../../../lib/config/posix-regex.ts'
import { PosixRegexError } from '../../../lib/config/posix-regex-error.ts'

/** Pattern, what it matches, what it does not: each line was tried against glibc's regcomp(3), whose C locale counts. */
const cases: ReadonlyArray<readonly [pattern: string, matches: readonly string[], others: readonly string[]]> = [
  ['/*.php', ['/index.php', 'xphp', 'a/bphp/c'], ['php', 'ph']],
  ['/.*\\.php', ['/a/b.php', '/.php5'], ['/a.phP', 'a.php']],
  ['\\.php(/|$)', ['/a.php', '/a.php/b'], ['/a.phps', '/aphp']],
  ['a)', ['a)'], ['a']],
  [')*x', ['x', '))x'], ['y']],
  ['}', ['}'], ['{']],
  ['a{,3}$', ['', 'aaa', 'b'], []],
  ['^a{,2}$', ['', 'aa'], ['aaa']],
  ['^a{,}$', ['', 'aaaa'], ['b']],
  ['^a{2}{3}$', ['aaaaaa'], ['aaaaa']],
  ['^a{1}*$', ['', 'aaa'], ['b']],
  ['^a+*$', ['', 'aa'], ['b']],
  ['^(ab)+?$', ['', 'ab', 'abab'], ['a']],
  ['^(a|)b$', ['b', 'ab'], ['aab']],
  ['^a()b$', ['ab'], ['a']],
  ['a$b', [], ['ab', 'a\nb', 'a$b']],
  ['(^|x)b', ['b', 'xb'], ['ab']],
  ['^.$', ['\n', 'a', ' '], ['', 'aa']],
  ['[]a]', [']', 'a'], ['[', 'b']],
  ['^[^]a]$', ['[', '\n'], [']', 'a']],
  ['^[a-]$', ['a', '-'], ['b']],
  ['^[--/]$', ['-', '.', '/'], [',', '0']],
  ['^[!--]$', ['!', '*', '-'], ['.']],
  ['^[\\]]$', ['\\]'], [']', '\\']],
  ['^[\\w]$', ['\\', 'w'], ['a']],
  ['^[a\\^[-]$', ['a', '\\', '^', '[', '-'], ['b', ']']],
  ['^[[:alpha:][:digit:]_]+$', ['aZ09_'], ['-', 'é']],
  ['^[[:punct:]]+$', ['!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'], ['a', ' ']],
  ['^[[:space:]]+$', [' \t\n\v\f\r'], ['\u00a0']],
  [
    '^[[:xdigit:]][[:upper:]][[:lower:]][[:blank:]][[:cntrl:]][[:graph:]][[:print:]][[:alnum:]]$',
    ['fAz\t\x01! 9'],
    ['gAz\t\x01! 9'],
  ],
  ['^[:alpha:]$', [':', 'a', 'l', 'p', 'h'], ['b']],
  ['^[[.-.]a]$', ['-', 'a'], ['.']],
  ['^[[=a=]b]$', ['a', 'b'], ['=']],
  ['(a)\\1', ['aa'], ['a']],
  ['^(a|b)x\\10$', ['axa0', 'bxb0'], ['axb0', 'axa']],
  ['\\<a\\>', ['a', '-a-'], ['ab', 'ba']],
  ['\\ba', ['a', '/a'], ['ba']],
  ['a\\Bb', ['ab'], ['a b']],
  ["\\`a\\'", ['a'], ['ab', 'ba']],
  ['^\\w\\W\\s\\S$', ['a- b'], ['a-bb']],
  ['\\.\\/\\{\\-\\(', ['./{-('], ['a/{-(']],
  ['^é$', ['é'], ['e']],
  ['^😀{2}$', ['😀😀'], ['😀']],
]

/** What glibc refuses, or JavaScript would read as something else: the place and what the message says. */
const refused: ReadonlyArray<readonly [pattern: string, index: number, message: RegExp]> = [
  ['(?:a)', 1, /JavaScript/],
  ['(?i)a', 1, /JavaScript/],
  ['*a', 0, /nothing stands before \*; write \\\*/],
  ['a|+', 2, /nothing stands before \+/],
  ['{1}', 0, /nothing stands before \{/],
  ['^*', 1, /anchor cannot be repeated/],
  ['\\b+', 2, /anchor cannot be repeated/],
  ['a{', 1, /\{ must be/],
  ['a{1', 1, /\{ must be/],
  ['a{}', 1, /\{ must be/],
  ['a{b}', 1, /\{ must be/],
  ['a{2,1}', 1, /not allowed/],
  ['a{32768}', 1, /at most 32767/],
  ['', 0, /empty alternative/],
  ['a|', 2, /empty alternative/],
  ['|a', 0, /empty alternative/],
  ['a||b', 2, /empty alternative/],
  ['a(b', 1, /\( without \)/],
  ['a[b', 1, /\[ without \]/],
  ['[', 0, /\[ without \]/],
  ['[]', 0, /\[ without \]/],
  ['[[:alpha:', 1, /\[: without :\]/],
  ['[[:foo:]]', 1, /no class \[:foo:\]; the classes are alnum/],
  ['[z-a]', 1, /range z-a is empty/],
  ['[a-[:digit:]]', 1, /end of a range/],
  ['[[:digit:]-z]', 1, /end of a range/],
  ['[a-z-9]', 4, /begins with -/],
  ['[[.space.]]', 1, /no single character/],
  ['[😀]', 1, /alternative/],
  ['a\\', 1, /at the end/],
  ['\\d+', 0, /Monkey reads d; write \[\[:digit:\]\]/],
  ['\\D', 0, /\[\^\[:digit:\]\]/],
  ['a\\n', 1, /no POSIX escape/],
  ['\\0', 0, /no POSIX escape/],
  ['\\1(a)', 0, /\\1 refers to a group/],
  ['(a\\1)', 2, /\\1 refers to a group/],
  ['(a)|b\\1', 5, /\\1 refers to a group/],
  ['(a)*\\1', 4, /\\1 refers to a group/],
  ['(a|(b))\\2', 7, /\\2 refers to a group/],
  ['('.repeat(101), 100, /100 groups/],
]

describe('translatePosixRegex', () => {
  for (const [pattern, matches, others] of cases) {
    it(`reads ${pattern} as glibc does`, () => {
      const regexp = translatePosixRegex(pattern, { ignoreCase: false })
      for (const text of matches) assert.ok(regexp.test(text), `${regexp} does not match ${JSON.stringify(text)}`)
      for (const text of others) assert.ok(!regexp.test(text), `${regexp} matches ${JSON.stringify(text)}`)
    })
  }

  for (const [pattern, index, message] of refused) {
    it(`refuses ${pattern.slice(0, 20) || 'nothing'}`, () => {
      assert.throws(
        () => translatePosixRegex(pattern, { ignoreCase: false }),
        (error) => error instanceof PosixRegexError && error.index === index && message.test(error.message),
      )
    })
  }

  it('does not count case when asked, within ASCII', () => {
    const regexp = translatePosixRegex('^/.*\\.php[A-z]?s?$', { ignoreCase: true })
    assert.ok(regexp.test('/X.PHPq'))
    assert.ok(!regexp.test('/x.php_'))
    assert.ok(!regexp.test('/x.php\u017f'))
  })

  it('keeps no state between two uses', () => {
    const regexp = translatePosixRegex('a', { ignoreCase: false })
    assert.ok(regexp.test('a') && regexp.test('a'))
  })
})
