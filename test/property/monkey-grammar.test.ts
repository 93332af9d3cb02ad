import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { loadConfig } from '../../lib/config/load.ts'
import { translatePosixRegex } from '../../lib/config/posix-regex.ts'
import { PosixRegexError } from '../../lib/config/posix-regex-error.ts'
import { ConfigError, OptionError } from '../../lib/errors.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { gatewayKeys, locationKeys, serverKeys } from '../../lib/options/schema.ts'
import { formatDuration, formatFlag, formatSize, parseDuration, parseSize } from '../../lib/options/values.ts'

const folder = mkdtempSync(join(tmpdir(), 'express-fastcgi-grammar-'))
after(() => rmSync(folder, { recursive: true }))

function load(text: string, name: string): ReturnType<typeof loadConfig> {
  writeFileSync(join(folder, name), text)
  return loadConfig(join(folder, name))
}

const directives = [serverKeys, locationKeys, gatewayKeys].flatMap((table) =>
  Object.values(table).flatMap((key) => key.directives),
)
const key = fc.oneof(fc.constantFrom(...directives, 'Multiplexing', 'Weight', 'Param'), fc.string({ maxLength: 8 }))
const value = fc.oneof(
  fc.constantFrom('On', 'Off', '5', '5s', '10k', 'a:1', '/a', 'php', 'A b', '*', '('),
  fc.string({ maxLength: 12 }),
)
const header = fc.oneof(
  fc.constantFrom('[FASTCGI]', '[FASTCGI_SERVER]', '[FASTCGI_LOCATION]', '[FASTCGI_SERVER.php]', '[HOST]', '['),
  fc.string({ maxLength: 8 }).map((name) => `[${name}]`),
)
const line = fc.oneof(
  header,
  fc
    .tuple(fc.constantFrom('', ' ', '\t'), key, fc.constantFrom(' ', '\t', ' = ', '=', '[] = ', '  '), value)
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('@INCLUDE any.conf', '@INCLUDE *', '@INCLUDE [', '@SET x', '# c', '--- c', ''),
)
const file = fc
  .tuple(fc.array(line, { maxLength: 20 }), fc.constantFrom('\n', '\r\n'))
  .map(([lines, end]) => lines.join(end))

describe('any file', () => {
  for (const name of ['any.conf', 'any.ini']) {
    it(`${name} loads or throws a ConfigError whose lines all begin with the file`, () => {
      fc.assert(
        fc.property(file, (text) => {
          try {
            const options = load(text, name)
            try {
              resolveOptions({ root: '/', ...options })
            } catch (error) {
              assert.ok(error instanceof OptionError, String(error))
            }
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error
            for (const problem of error.problems) assert.ok(problem.startsWith(join(folder, name)), problem)
          }
        }),
        { numRuns: 500 },
      )
    })
  }
})

/** What a file says: its options, or its mistakes without the place of each. */
function said(text: string, name: string): unknown {
  try {
    return load(text, name)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => problem.replace(/^[^:]*:\d+: /, '').replaceAll(/\d+/g, 'N'))
  }
}

describe('what a file says does not depend on', () => {
  const plain = fc.array(
    line.filter((text) => !/[\r\n]/.test(text)),
    { maxLength: 15 },
  )
  const ways: readonly (readonly [string, (lines: readonly string[]) => string])[] = [
    ['the ends of its lines', (lines) => lines.join('\r\n')],
    ['a byte order mark', (lines) => `\ufeff${lines.join('\n')}`],
    ['comments and empty lines between', (lines) => lines.flatMap((one) => [one, '# a comment', '']).join('\n')],
    ['a last line without its end', (lines) => `${lines.join('\n')}\n`],
  ]
  for (const [what, write] of ways) {
    it(what, () => {
      fc.assert(
        fc.property(plain, (lines) =>
          assert.deepEqual(said(write(lines), 'same.conf'), said(lines.join('\n'), 'same.conf')),
        ),
        { numRuns: 300 },
      )
    })
  }
})

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const blanks = fc.constantFrom(' ', '\t', '   ', ' \t ', ' = ')
const settings = fc.record(
  {
    keepAlive: fc.boolean(),
    checkLocal: fc.boolean(),
    readTimeout: fc.nat({ max: 86_400_000 }),
    bodyLimit: fc.nat(),
    queueLimit: fc.nat(),
    frontController: word.map((name) => `/${name}.php`),
    index: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
    // `xn--` alone is the beginning of an IDN and no host.
    hosts: fc.uniqueArray(
      word.filter((name) => !name.startsWith('xn--')),
      { minLength: 1, maxLength: 3 },
    ),
    params: fc.dictionary(
      word,
      fc.stringMatching(/^[!-~]([ -~]{0,10}[!-~])?$/).filter((text) => !text.startsWith('=')),
      { minKeys: 1, maxKeys: 3 },
    ),
    symlinks: fc.constantFrom('follow' as const, 'inside' as const),
  },
  { requiredKeys: [] },
)

/** How a file writes an option. */
function formatOption(option: string, given: unknown): readonly (readonly [string, string])[] {
  const [directive = option] = locationKeys[option as keyof typeof locationKeys].directives
  if (option === 'params')
    return Object.entries(given as object).map(([name, one]) => [directive, `${name} ${one}`] as const)
  if (typeof given === 'boolean') return [[directive, formatFlag(given)]]
  if (option === 'readTimeout') return [[directive, formatDuration(Number(given))]]
  if (option === 'bodyLimit') return [[directive, formatSize(Number(given))]]
  return [[directive, Array.isArray(given) ? given.join(' ') : String(given)]]
}

describe('a configuration', () => {
  for (const name of ['round.conf', 'round.ini']) {
    it(`written to ${name} and read again is the same`, () => {
      const configuration = fc.record({
        servers: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
        locations: fc.array(settings, { minLength: 1, maxLength: 3 }),
        blank: name.endsWith('.ini') ? fc.constant(' = ') : blanks,
      })
      fc.assert(
        fc.property(configuration, ({ servers, locations, blank }) => {
          const lines = [
            ...servers.flatMap((server) => [
              '[FASTCGI_SERVER]',
              `\tServerName${blank}${server}`,
              `ServerPath${blank}/run/${server}`,
            ]),
            ...locations.flatMap((location) => [
              '[FASTCGI_LOCATION]',
              ` ServerNames${blank}${servers.join(', ')}`,
              ...Object.entries(location).flatMap(([option, given]) =>
                formatOption(option, given).map(([directive, text]) => `${directive}${blank}${text}`),
              ),
            ]),
          ]
          const given = {
            root: '/srv',
            servers: servers.map((server) => ({ name: server, address: `/run/${server}` })),
            locations: locations.map((location) => ({ ...location, servers })) as never,
          }
          const read = resolveOptions({ ...load(lines.join('\n'), name), root: '/srv' })
          assert.deepEqual({ ...read }, { ...resolveOptions(given) })
        }),
        { numRuns: 300 },
      )
    })
  }

  it('has sizes and durations that read again as they were', () => {
    fc.assert(fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => parseSize(formatSize(bytes)) === bytes))
    fc.assert(fc.property(fc.nat({ max: 2 ** 31 - 1 }), (time) => parseDuration(formatDuration(time)) === time))
  })
})

describe('any pattern', () => {
  it('becomes a RegExp or a PosixRegexError within the pattern', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '(',
        ')',
        '[',
        ']',
        '[^',
        '[:alpha:]',
        '{',
        '}',
        '{2}',
        '|',
        '*',
        '+',
        '?',
        '^',
        '$',
        '\\',
        '.',
        '-',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.boolean(), (parts, ignoreCase) => {
        const pattern = parts.join('')
        try {
          translatePosixRegex(pattern, { ignoreCase }).test(pattern)
        } catch (error) {
          if (!(error instanceof PosixRegexError)) throw error
          assert.ok(error.index >= 0 && error.index <= pattern.length)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
