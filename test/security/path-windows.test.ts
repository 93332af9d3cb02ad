import assert from 'node:assert/strict'
import { win32 } from 'node:path'
import { describe, test } from 'node:test'
import { decodePath, unicodeText } from '../../lib/cgi/path.ts'
import { splitScript } from '../../lib/cgi/script.ts'
import { sourcePattern, sourceText } from '../../lib/cgi/script-source.ts'
import { isSpelledForWindows } from '../../lib/cgi/windows-name.ts'

// What Windows and macOS make of names, as tables that hold on every system: a request names a script's file there only when it
// spells it, and what could be a script's source in another spelling is never passed on.

const php = sourcePattern(['.php', '.phtml'])

/** What becomes of a path on Windows: `refused`, `no file` (front controller or next()), `runs NAME`, or `not a script`. */
function onWindows(raw: string): string {
  let path: ReturnType<typeof decodePath>
  try {
    path = decodePath(raw)
  } catch {
    return 'refused'
  }
  if (path.unsafe) return 'no file'
  const split = splitScript(path.path, ['.php', '.phtml'])
  if (split === null) return 'not a script'
  return isSpelledForWindows(unicodeText(split.scriptName)) ? `runs ${split.scriptName}` : 'no file'
}

const tables: Readonly<Record<string, readonly (readonly [raw: string, outcome: string])[]>> = {
  'trailing dots and spaces': [
    ['/x.php.', 'not a script'],
    ['/x.php%20', 'not a script'],
    ['/x.php.%20.', 'not a script'],
    ['/x.php. .', 'refused'],
    ['/up./x.php', 'no file'],
    ['/up%20/x.php', 'no file'],
    ['/up.../x.php', 'no file'],
    ['/up%20./x.php/info', 'no file'],
    ['/.../x.php', 'no file'],
    ['/.%20./x.php', 'no file'],
  ],
  'streams (CVE-1999-0278, IIS)': [
    ['/x.php::$DATA', 'not a script'],
    ['/x.php:$DATA', 'not a script'],
    ['/x.php::$DATA.php', 'runs nothing'],
    ['/up/a.jpg:x.php', 'no file'],
    ['/up/a.jpg::$DATA.php', 'no file'],
    ['/up::$INDEX_ALLOCATION/x.php', 'no file'],
    ['/up:$I30:$INDEX_ALLOCATION/x.php', 'no file'],
    ['/up/a.jpg%3a.php', 'no file'],
  ],
  'short names (8.3)': [
    ['/SHELL~1.php', 'no file'],
    ['/up/shell~1.php', 'no file'],
    ['/UPLOAD~2/x.php', 'no file'],
    ['/upload~10.d/x.php', 'no file'],
    ['/SHELL~1.PHP', 'not a script'],
    ['/a%7E1.php', 'no file'],
    ['/.htacc~1/x.php', 'runs /.htacc~1/x.php'],
    ['/~anna/x.php', 'runs /~anna/x.php'],
  ],
  'drives, UNC paths and device paths': [
    ['/C:/windows/x.php', 'no file'],
    ['/C:x.php', 'no file'],
    ['/C%3a%5cx.php', 'no file'],
    ['//server/share/x.php', 'runs /server/share/x.php'],
    ['//%2fserver%2fshare/x.php', 'no file'],
    ['/%5c%5cserver%5cshare%5cx.php', 'no file'],
    ['/%5c%5c?%5cC:%5cx.php', 'no file'],
    ['/%3f/C:/x.php', 'no file'],
    ['//./C:/x.php', 'no file'],
    ['//%3f/GLOBALROOT/x.php', 'no file'],
    ['\\\\server\\share\\x.php', 'refused'],
  ],
  'devices (CVE-2000-0168)': [
    ['/con.php', 'no file'],
    ['/NUL.tar.php', 'no file'],
    ['/aux/x.php', 'no file'],
    ['/com1.php', 'no file'],
    ['/LPT9.x/y.php', 'no file'],
    ['/com%C2%B9.php', 'no file'],
    ['/con%20.php', 'no file'],
    ['/conin$.php', 'no file'],
    ['/console.php', 'runs /console.php'],
  ],
  'backslashes and climbs': [
    ['/..\\x.php', 'refused'],
    ['/up\\..\\..\\x.php', 'refused'],
    ['/up%5c..%5c..%5cx.php', 'refused'],
    ['/a/..%5c../x.php', 'refused'],
    ['/up\\x.php', 'no file'],
    ['/up%5cx.php', 'no file'],
    ['/up/..%5cx.php', 'no file'],
  ],
  'signs that no name has': [
    ['/x%3f.php', 'no file'],
    ['/x*.php', 'no file'],
    ['/x<.php', 'no file'],
    ['/x%22.php', 'no file'],
    ['/x|.php', 'no file'],
    ['/x%00.php', 'refused'],
    ['/x%1f.php', 'refused'],
  ],
}

for (const [title, rows] of Object.entries(tables)) {
  describe(`on Windows: ${title}`, () => {
    for (const [raw, outcome] of rows) {
      if (outcome === 'runs nothing') test(`${raw} runs nothing`, () => assert.doesNotMatch(onWindows(raw), /^runs/))
      else test(`${raw}: ${outcome}`, () => assert.equal(onWindows(raw), outcome))
    }
  })
}

test('a name that runs is, joined to a root of Windows, that very name below it', () => {
  for (const [raw] of Object.values(tables).flat()) {
    const outcome = onWindows(raw)
    if (!outcome.startsWith('runs ')) continue
    const name = win32.normalize(`C:\\www${outcome.slice('runs '.length)}`)
    assert.equal(name, `C:\\www${outcome.slice('runs '.length).replaceAll('/', '\\')}`)
  }
})

describe('what some file system takes for a script is never passed on', () => {
  for (const name of [
    'index.PHP',
    'INDEX.pHp',
    'index.php.',
    'index.php%20',
    'index.php%20.%20.',
    'index.php::$DATA',
    'index.php::$data',
    'index.php:x',
    'index.php%20::$DATA',
    'index.php/',
    'index.php/.',
    'index.php%5c',
    'INDEX~1.PHT',
    'index~12.pht',
    'index.p%E2%80%8Chp',
    'index.php%EF%BB%BF',
    'index.%E2%80%AEphp',
  ]) {
    test(name, () => {
      const { path } = decodePath(`/sub/${name}`)
      assert.match(sourceText(path), php)
    })
  }

  test('letters that fold', () => {
    assert.match(sourceText(decodePath('/x.%C5%BFh').path), sourcePattern(['.sh']))
    assert.match(sourceText(decodePath('/x.%E2%84%AAsh').path), sourcePattern(['.ksh']))
  })
})
