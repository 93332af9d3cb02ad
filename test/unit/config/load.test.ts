import assert from 'node:assert/strict'
import { join, relative, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig, readConfig } from '../../../lib/config/load.ts'
import { ConfigError } from '../../../lib/errors.ts'
import { resolveOptions } from '../../../lib/options/resolve.ts'
import { folderOf } from './folder.ts'

const SERVER = '[FASTCGI_SERVER]\n ServerName php\n ServerAddr 127.0.0.1:9000\n'
const LOCATION = `${SERVER}[FASTCGI_LOCATION]\n ServerNames php\n`

/** The lines of the ConfigError, with the file's own name alone. */
function problemsOf(folder: string, name: string = 'a.conf'): readonly string[] {
  try {
    loadConfig(join(folder, name))
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    assert.equal(error.message, error.problems.join('\n'))
    return error.problems.map((problem) => problem.replaceAll(`${folder}/`, ''))
  }
  assert.fail('no ConfigError')
}

describe('a Monkey 1.5 file', () => {
  it('works as Monkey documents it, with tabs and runs of spaces', (context) => {
    const text =
      '[FASTCGI_SERVER]\n\tServerName      php5-fpm1\n\tServerPath      /var/run/php5-fpm.sock\n\tMaxConnections  20\n\n' +
      '[FASTCGI_LOCATION]\n\tLocationName    php5_location\n\tServerNames     php5-fpm1\n\tKeepAlive       On\n\tMatch           /*.php\n'
    const folder = folderOf(context, { 'a.conf': text })
    const { options, warnings } = readConfig(join(folder, 'a.conf'))
    assert.deepEqual(
      [options, warnings],
      [
        {
          servers: [{ name: 'php5-fpm1', address: '/var/run/php5-fpm.sock', maxConnections: 20 }],
          locations: [{ name: 'php5_location', servers: ['php5-fpm1'], keepAlive: true, match: [/\/*.php/s] }],
        },
        [],
      ],
    )
    const resolved = resolveOptions({ ...loadConfig(join(folder, 'a.conf')), root: '/srv' })
    assert.equal(resolved.locations[0]?.root, '/srv')
    assert.throws(() => resolveOptions(loadConfig(join(folder, 'a.conf'))), /php5_location.*DocumentRoot/)
  })

  it('takes every key of a location', (context) => {
    const lines = [
      'locationname x y',
      'MATCH \\.php$ ^/b',
      'Route /wiki{/*page} /w/:id',
      'Host a.example B.example',
      'DocumentRoot ../www',
      'Index Off',
      'FrontController index.php',
      'ScriptExtensions .php .phtml',
      'CheckLocal off',
      'ScriptFilename /bin/:page',
      'Param A  b c ',
      'Param B',
      'Param C = d',
      'Symlinks inside',
      'QueueLimit 0',
      'ReadTimeout 5',
      'Timeout none',
      'RequestBuffering ON',
      'BodyLimit 10k',
      'HideHeaders X-A X-B',
      'TrustForwarded loopback 10.0.0.0/8',
    ]
    const folder = folderOf(context, { 'conf/a.conf': `${LOCATION} ${lines.join('\n ')}\n` })
    const { options, warnings } = readConfig(join(folder, 'conf/a.conf'))
    assert.deepEqual(warnings, [])
    assert.deepEqual(options.locations, [
      {
        servers: ['php'],
        name: 'x y',
        match: [/\.php$/s, /^\/b/s, '/wiki{/*page}', '/w/:id'],
        hosts: ['a.example', 'B.example'],
        root: join(folder, 'www'),
        index: false,
        frontController: 'index.php',
        scriptExtensions: ['.php', '.phtml'],
        checkLocal: false,
        scriptFilename: '/bin/:page',
        params: { A: 'b c', B: '', C: 'd' },
        symlinks: 'inside',
        queueLimit: 0,
        readTimeout: '5',
        timeout: 'none',
        requestBuffering: 'ON',
        bodyLimit: '10k',
        hideHeaders: ['X-A', 'X-B'],
      },
    ])
    assert.deepEqual(options.trustProxy, ['loopback', '10.0.0.0/8'])
    const [location] = resolveOptions(options).locations
    assert.equal(location?.readTimeout, 5000)
    assert.equal(location?.requestBuffering, 'on')
  })

  it('takes what is needed of many servers', (context) => {
    const many = ' Weight 3\n Backup on\n MaxFails 0\n FailTimeout 30\n'
    const folder = folderOf(context, {
      'a.conf': `[FASTCGI]\n Workers 2\n DocumentRoot /\n${SERVER} HealthCheck timeout=1 ping=/ping  interval=500ms\n[FASTCGI_SERVER]\n ServerName b\n ServerPath /b\n${many}[FASTCGI_LOCATION]\n ServerNames php b\n Balance Round-Robin\n`,
    })
    const { servers, locations, workers } = resolveOptions(loadConfig(join(folder, 'a.conf')))
    const [php, b] = servers
    assert.equal(workers, 2)
    assert.deepEqual(php?.healthCheck, { interval: 500, timeout: 1000, ping: '/ping', script: null })
    assert.deepEqual([b?.weight, b?.backup, b?.maxFails, b?.failTimeout], [3, true, 0, 30_000])
    assert.equal(locations[0]?.balance, 'round-robin')
  })

  it('takes as many Workers as the smallest server has connections', (context) => {
    const folder = folderOf(context, { 'a.conf': `[FASTCGI]\n Workers 64\n${SERVER}` })
    assert.equal(loadConfig(join(folder, 'a.conf')).workers, 64)
  })

  it('lets Workers share what Command starts, as each process has its own', (context) => {
    const folder = folderOf(context, {
      'a.conf': '[FASTCGI]\n Workers 9\n[FASTCGI_SERVER]\n ServerName a\n Command php-fpm\n MaxConnections 2\n',
    })
    assert.equal(loadConfig(join(folder, 'a.conf')).workers, 9)
  })

  it('takes defaults of all locations from [FASTCGI], which options in JavaScript replace', (context) => {
    const folder = folderOf(context, {
      'a.conf': `[FASTCGI]\n DocumentRoot www\n KeepAlive On\n TrustForwarded 1\n${LOCATION}`,
    })
    const options = loadConfig(join(folder, 'a.conf'))
    assert.equal(options.trustProxy, 1)
    assert.equal(resolveOptions(options).locations[0]?.root, join(folder, 'www'))
    const [location] = resolveOptions({ ...options, root: '/other' }).locations
    assert.deepEqual([location?.root, location?.keepAlive], ['/other', true])
  })

  it('resolves paths from the file that they stand in, also an included one', (context) => {
    const folder = folderOf(context, {
      'a.conf': '@INCLUDE sub/server.conf\n[FASTCGI_LOCATION]\n ServerNames php\n DocumentRoot www\n',
      'sub/server.conf': '[FASTCGI_SERVER]\n ServerName php\n ServerPath run/php.sock\n',
    })
    const options = loadConfig(relative(process.cwd(), join(folder, 'a.conf')))
    assert.equal(options.servers?.[0]?.address, join(folder, 'sub/run/php.sock'))
    assert.equal(options.locations?.[0]?.root, join(folder, 'www'))
  })

  it('lets locations stand before the servers they name, and share them, with commas too', (context) => {
    const text = `[FASTCGI_LOCATION]\n ServerNames b, php\n[FASTCGI_LOCATION]\n ServerNames php\n${SERVER}[FASTCGI_SERVER]\n ServerName b\n ServerAddr [::1]:9\n`
    const folder = folderOf(context, { 'a.conf': text })
    assert.deepEqual(
      loadConfig(join(folder, 'a.conf')).locations?.map(({ servers }) => servers),
      [['b', 'php'], ['php']],
    )
  })

  it('lets servers come from JavaScript', (context) => {
    const folder = folderOf(context, { 'a.conf': '[FASTCGI]\n KeepAlive On\n' })
    const { locations } = resolveOptions({ ...loadConfig(join(folder, 'a.conf')), root: '/', server: '/s' })
    assert.equal(locations[0]?.keepAlive, true)
  })

  const warned: ReadonlyArray<readonly [string, string, string]> = [
    [
      'a key that stands twice',
      `${LOCATION} KeepAlive On\n keepalive Off\n`,
      'a.conf:7: KeepAlive stands in this section already; a.conf:6 counts, this line does not',
    ],
    [
      'a parameter that stands twice',
      `${LOCATION} Param A b\n Param A c\n`,
      'a.conf:7: Param A stands in this section already; the first counts, this line does not',
    ],
    [
      'Multiplexing',
      `${SERVER} Multiplexing On\n[FASTCGI_LOCATION]\n ServerNames php\n`,
      'a.conf:4: Multiplexing is not built yet: each connection carries one request at a time',
    ],
    [
      'two spaces in Match',
      `${LOCATION} Match /a  /b\n`,
      'a.conf:6: Match: Monkey reads two spaces in a row as a pattern that matches every path; here they are one',
    ],
  ]
  for (const [what, text, warning] of warned) {
    it(`warns of ${what}`, (context) => {
      const folder = folderOf(context, { 'a.conf': text })
      const { options, warnings } = readConfig(join(folder, 'a.conf'))
      assert.deepEqual(
        warnings.map((one) => one.replaceAll(`${folder}/`, '')),
        [warning],
      )
      const [location] = resolveOptions({ ...options, root: '/' }).locations
      assert.ok(what !== 'a key that stands twice' || location?.keepAlive === true)
      assert.ok(what !== 'a parameter that stands twice' || location?.params.get('A') === 'b')
    })
  }

  const mistakes: ReadonlyArray<readonly [string, string, RegExp]> = [
    [
      'an unknown key',
      `${LOCATION} KeepAlife On\n`,
      /^a\.conf:6: \[FASTCGI_LOCATION\] has no key "KeepAlife"; did you mean KeepAlive\?$/,
    ],
    ['a key without a value', `${LOCATION} KeepAlive\n`, /^a\.conf:6: KeepAlive has no value; give On or Off/],
    ['an = without spaces', `${LOCATION} KeepAlive=On\n`, /^a\.conf:6: .*separated by a space/],
    [
      'a key of another section',
      `${LOCATION} MaxConnections 3\n`,
      /^a\.conf:6: MaxConnections belongs to \[FASTCGI_SERVER\], not to/,
    ],
    ['a weight of 0', `${SERVER} Weight 0\n`, /^a\.conf:4: Weight: 0 is not allowed here; give .* 1 to 1000$/],
    [
      'a health check of other words',
      `${SERVER} HealthCheck /ping 5s\n`,
      /^a\.conf:4: HealthCheck: "\/ping 5s" is not allowed here; give ping=\/path or script=/,
    ],
    [
      'a word of a health check that stands twice',
      `${SERVER} HealthCheck ping=/a ping=/b\n`,
      /^a\.conf:4: HealthCheck: "ping=\/a ping=\/b" /,
    ],
    [
      'an interval that is none',
      `${SERVER} HealthCheck ping=/a interval=5x\n`,
      /^a\.conf:4: HealthCheck\.interval: "5x" .* 500ms, 5s/,
    ],
    [
      'backups alone',
      `${SERVER} Backup On\n[FASTCGI_LOCATION]\n ServerNames php\n`,
      /^a\.conf:6: ServerNames: all of these are backups; name one that is not/,
    ],
    ['Workers of a location', `${LOCATION} Workers 2\n`, /^a\.conf:6: Workers belongs to \[FASTCGI\], not to/],
    [
      'more workers than connections',
      `[FASTCGI]\n Workers 65\n${SERVER}`,
      /^a\.conf:2: Workers: 65 processes share the server "php" with MaxConnections 64; give it 65 or more$/,
    ],
    [
      'a word for a flag',
      `${LOCATION} KeepAlive yes\n`,
      /^a\.conf:6: KeepAlive: "yes" is not allowed here; give On or Off/,
    ],
    ['a number with a tail', `${SERVER} MaxConnections 12abc\n`, /^a\.conf:4: MaxConnections: "12abc" .* whole number/],
    ['no connections', `${SERVER} MaxConnections 0\n`, /^a\.conf:4: MaxConnections: 0/],
    ['a time with an unknown unit', `${LOCATION} ReadTimeout 5d\n`, /^a\.conf:6: ReadTimeout: "5d" .* 500ms, 5s/],
    [
      'both addresses',
      `${SERVER} ServerPath /x\n`,
      /^a\.conf:4: ServerPath and ServerAddr \(a\.conf:3\) are both given; give one/,
    ],
    [
      'no address',
      '[FASTCGI_SERVER]\n ServerName a\n',
      /^a\.conf:1: \[FASTCGI_SERVER\] has no address; give ServerAddr .* or Command/,
    ],
    [
      'an address and a command',
      `${SERVER} Command php-fpm\n`,
      /^a\.conf:4: Command and ServerAddr \(a\.conf:3\) are both given; give/,
    ],
    [
      'processes without a command',
      `${SERVER} Processes 2\n`,
      /^a\.conf:4: Processes belongs to a server with Command/,
    ],
    [
      'a command with an open quotation',
      "[FASTCGI_SERVER]\n ServerName a\n Command php-cgi 'x\n",
      /^a\.conf:3: Command: a quotation does not end in "php-cgi 'x"$/,
    ],
    ['no name of a server', '[FASTCGI_SERVER]\n ServerAddr h:1\n', /^a\.conf:1: \[FASTCGI_SERVER\] has no ServerName/],
    ['two servers of one name', `${SERVER}${SERVER}`, /^a\.conf:4: ServerName "php" is that of a\.conf:1 already$/],
    [
      'a port out of range',
      '[FASTCGI_SERVER]\n ServerName a\n ServerAddr h:65536\n',
      /^a\.conf:3: ServerAddr: .*65535/,
    ],
    [
      'a path in ServerAddr',
      '[FASTCGI_SERVER]\n ServerName a\n ServerAddr /run/a\n',
      /^a\.conf:3: ServerAddr: "\/run\/a" is a path; .*ServerPath/,
    ],
    [
      'no ServerNames',
      `${SERVER}[FASTCGI_LOCATION]\n Match a\n`,
      /^a\.conf:4: \[FASTCGI_LOCATION\] has no ServerNames; give one or more of php$/,
    ],
    [
      'an unknown server',
      `${SERVER}[FASTCGI_LOCATION]\n ServerNames php phq\n`,
      /^a\.conf:5: there is no server "phq"; did you mean php\?$/,
    ],
    ['a pattern that is none', `${LOCATION} Match /a /b(\n`, /^a\.conf:6: Match: "\/b\(", column 13: \( without \)$/],
    ['an empty alternative', `${LOCATION} Match /a|\n`, /^a\.conf:6: Match: "\/a\|", column 11: an empty alternative/],
    ['a route that is none', `${LOCATION} Route /(a\n`, /^a\.conf:6: Route.*no path-to-regexp 8 pattern/],
    [
      'an unknown section',
      `${SERVER}[FASTCGI_LOCATON]\n`,
      /^a\.conf:4: there is no section \[FASTCGI_LOCATON\]; did you mean \[FASTCGI_LOCATION\]\?$/,
    ],
    [
      'a file of sites/',
      '[HOST]\n ServerName a\n',
      /^a\.conf:1: \[HOST\] belongs to a file of sites\/: give Monkey's conf directory/,
    ],
    [
      '[FASTCGI] twice',
      '[FASTCGI]\n KeepAlive On\n[FASTCGI]\n KeepAlive On\n',
      /^a\.conf:3: \[FASTCGI\] stands at a\.conf:1 already/,
    ],
    [
      'TrustForwarded in two ways',
      `${LOCATION} TrustForwarded 1\n[FASTCGI_LOCATION]\n ServerNames php\n TrustForwarded 2\n`,
      /^a\.conf:9: TrustForwarded is one for the whole gateway; a\.conf:6 says 1, this line 2$/,
    ],
    ['no section', '# nothing\n', /^a\.conf: holds no section/],
  ]
  for (const [what, text, message] of mistakes) {
    it(`refuses ${what}, with its line`, (context) => {
      const problems = problemsOf(folderOf(context, { 'a.conf': text }))
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0] ?? '', message)
    })
  }

  it('tells every mistake of every file at once, in the order of the lines', (context) => {
    const folder = folderOf(context, {
      'a.conf': `${LOCATION} KeepAlive yes\n@INCLUDE b.conf\n[NO]\n`,
      'b.conf': '\n Static maybe\n Index a/b\n',
    })
    assert.deepEqual(
      problemsOf(folder).map((problem) => problem.split(': ', 1)[0]),
      ['a.conf:6', 'a.conf:8', 'b.conf:2', 'b.conf:3'],
    )
  })

  it('names a missing file as it was given', () => {
    assert.throws(
      () => loadConfig('no/such.conf'),
      (error) => error instanceof ConfigError && /^no\/such\.conf: cannot be read: ENOENT/.test(error.message),
    )
  })

  it('makes warnings of the process when the options are spread', async (context) => {
    const folder = folderOf(context, { 'a.conf': `${SERVER} Multiplexing Off\n` })
    const warning = new Promise<Error>((done) => process.once('warning', done))
    loadConfig(join(folder, 'a.conf'))
    const { name, message } = await warning
    assert.equal(name, 'FastCgiConfigWarning')
    assert.match(message, /a\.conf:4: Multiplexing is not built yet/)
  })
})

describe('a Monkey 1.6 directory', () => {
  const site = (names: string, root: string, handlers: string): string =>
    `[HOST]\n    ServerName ${names}\n    DocumentRoot ${root}\n[LOGGER]\n    AccessLog /x\n[HANDLERS]\n${handlers}`
  const files = {
    'plugins/fastcgi/fastcgi.conf': '[FASTCGI_SERVER]\n    ServerName php5-fpm\n    ServerAddr 127.0.0.1:9000\n',
    'sites/default': site(
      'localhost www.example.com',
      '/srv/default',
      '    Match  /.*\\.php  fastcgi\n    Match /cgi-bin/( cgi\n',
    ),
    'sites/b': site('B.example', '../www', '    Match /.*\\.php fastcgi php5-fpm\n    Match ^/x FASTCGI\n'),
  }
  const expected = {
    servers: [{ name: 'php5-fpm', address: '127.0.0.1:9000' }],
    locations: [
      {
        name: 'default_0',
        match: [/\/.*\.php/is],
        servers: ['php5-fpm'],
        hosts: ['localhost', 'www.example.com', '*'],
        root: '/srv/default',
      },
    ],
  }

  it('works as Monkey documents it: default first, for unknown hosts too, without case', (context) => {
    const folder = folderOf(context, files)
    const root = join(folder, 'www')
    const b = { servers: ['php5-fpm'], hosts: ['B.example'], root }
    const { options, warnings } = readConfig(folder)
    assert.deepEqual(
      [options, warnings],
      [
        {
          ...expected,
          locations: [
            ...expected.locations,
            { ...b, name: 'b_0', match: [/\/.*\.php/is] },
            { ...b, name: 'b_1', match: [/^\/x/is] },
          ],
        },
        [],
      ],
    )
    resolveOptions(options)
  })

  it('is read as well by the path of the plugin’s file', (context) => {
    const folder = folderOf(context, files)
    assert.deepEqual(loadConfig(join(folder, 'plugins/fastcgi/fastcgi.conf')), loadConfig(folder))
  })

  it('takes the index from monkey.conf, when it is there', (context) => {
    const folder = folderOf(context, {
      ...files,
      'monkey.conf': '[SERVER]\n    Listen 80\n    Indexfile index.html  index.php\n',
    })
    assert.deepEqual(loadConfig(folder).index, ['index.html', 'index.php'])
  })

  it('skips hidden files and backups', (context) => {
    const folder = folderOf(context, { ...files, 'sites/.b.swp': 'x', 'sites/b~': 'x' })
    assert.equal(loadConfig(folder).locations?.length, 3)
  })

  it('gives a handler without a name the first server, as Monkey knows no other', (context) => {
    const plugin = `${files['plugins/fastcgi/fastcgi.conf']}${SERVER}`
    const folder = folderOf(context, {
      'plugins/fastcgi/fastcgi.conf': plugin,
      'sites/default': files['sites/default'],
    })
    assert.deepEqual(loadConfig(folder).locations?.[0]?.servers, ['php5-fpm'])
  })

  it('serves the locations of a 1.5 file for every site, those with a Host once', (context) => {
    const folder = folderOf(context, {
      'plugins/fastcgi/fastcgi.conf': `${LOCATION} Match \\.php\n[FASTCGI_LOCATION]\n ServerNames php\n Host c\n DocumentRoot /c\n`,
      'sites/default': site('a', '/a', ''),
      'sites/b': site('b', '/b', ''),
    })
    const { locations = [] } = loadConfig(folder)
    assert.deepEqual(
      locations.map(({ hosts, root }) => [hosts, root]),
      [
        [['c'], '/c'],
        [['a', '*'], '/a'],
        [['b'], '/b'],
      ],
    )
  })

  it('warns of a site without a handler', (context) => {
    const folder = folderOf(context, { ...files, 'sites/c': site('c', '/c', '') })
    assert.match(
      readConfig(folder).warnings.join(),
      /sites\/c: has no fastcgi handler: its hosts are served as sites\/default says/,
    )
  })

  const mistakes: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, RegExp]> = [
    ['no [HOST]', { 'sites/b': '[HANDLERS]\n    Match a fastcgi\n' }, /^sites\/b: has no \[HOST\]/],
    [
      'no DocumentRoot',
      { 'sites/b': '[HOST]\n    ServerName b\n[HANDLERS]\n    Match a fastcgi\n' },
      /^sites\/b:1: \[HOST\] has no DocumentRoot$/,
    ],
    ['no ServerName', { 'sites/b': '[HOST]\n    DocumentRoot /b\n' }, /^sites\/b:1: \[HOST\] has no ServerName$/],
    [
      'a handler without a plugin',
      { 'sites/b': site('b', '/b', '    Match /a\n') },
      /^sites\/b:7: Match: "\/a" is no handler; write Match REGEX fastcgi/,
    ],
    [
      'an unknown server',
      { 'sites/b': site('b', '/b', '    Match a fastcgi php5-fpn\n') },
      /^sites\/b:7: Match: there is no server "php5-fpn"; did you mean php5-fpm\?$/,
    ],
    [
      'a pattern that is none',
      { 'sites/b': site('b', '/b', '    Match a( fastcgi\n') },
      /^sites\/b:7: Match: "a\(", column 12: \( without \)$/,
    ],
    [
      'no server',
      { 'plugins/fastcgi/fastcgi.conf': '# none\n', 'sites/b': site('b', '/b', '') },
      /^sites\/default:7: Match: there is no \[FASTCGI_SERVER\]/,
    ],
    [
      'no handler anywhere',
      { 'sites/default': site('a', '/a', ''), 'sites/b': site('b', '/b', '') },
      /^sites: no site has a line "Match REGEX fastcgi"/,
    ],
  ]
  for (const [what, changed, message] of mistakes) {
    it(`refuses ${what}`, (context) => {
      const problems = problemsOf(folderOf(context, { ...files, ...changed }), '')
      assert.match(problems[0] ?? '', message)
    })
  }

  it('refuses a directory without sites/default', (context) => {
    const { 'sites/default': _default, ...others } = files
    assert.match(problemsOf(folderOf(context, others), '')[0] ?? '', /^sites\/default: is missing/)
  })

  it('refuses a directory that is none of Monkey’s', (context) => {
    const folder = folderOf(context, { 'x.txt': '' })
    assert.throws(
      () => loadConfig(folder),
      /is no conf directory of Monkey: there is no plugins\/fastcgi\/fastcgi\.conf/,
    )
  })

  it('reads fastcgi.conf of a directory without sites', (context) => {
    const folder = folderOf(context, { 'fastcgi.conf': `${LOCATION} DocumentRoot .\n` })
    assert.equal(loadConfig(folder).locations?.[0]?.root, resolve(folder))
  })
})
