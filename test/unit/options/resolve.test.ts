import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, it } from 'node:test'
import { OptionError } from '../../../lib/errors.ts'
import { resolveOptions } from '../../../lib/options/resolve.ts'
import type { FastCgiOptions, LocationOptions, ResolvedLocation } from '../../../lib/options/types.ts'

const server = '/run/php/php-fpm.sock'

/** The only location of the short form. */
function resolveLocation(settings: FastCgiOptions): ResolvedLocation {
  const [location] = resolveOptions({ root: 'public', server, ...settings }).locations
  assert.ok(location)
  return location
}

/** The message of the OptionError that any options, also ones of a wrong type, give. */
function messageOf(options: unknown): string {
  try {
    resolveOptions(options as FastCgiOptions)
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error))
    return error.message
  }
  assert.fail('no OptionError')
}

const withServer = (settings: object): object => ({ root: 'public', server, ...settings })

const withOnly = (settings: object): object => ({ root: 'public', server: { address: server, ...settings } })

describe('resolveOptions', () => {
  it('completes the short form', () => {
    const { servers, locations, trustProxy, workers } = resolveOptions({ root: 'public', server })
    assert.deepEqual(servers, [
      {
        name: 'default',
        address: server,
        command: null,
        processes: null,
        maxConnections: 64,
        maxRequests: Number.POSITIVE_INFINITY,
        idleTimeout: 30_000,
        restarts: false,
        weight: 1,
        backup: false,
        maxFails: 3,
        failTimeout: 10_000,
        healthCheck: null,
      },
    ])
    assert.deepEqual(locations, [
      {
        name: 'location_0',
        servers: ['default'],
        match: [/\.php(?:\/|$)/],
        hosts: [],
        root: resolve('public'),
        index: ['index.php'],
        frontController: null,
        scriptExtensions: ['.php'],
        checkLocal: true,
        scriptFilename: null,
        params: new Map(),
        symlinks: 'follow',
        resolveRoot: false,
        static: false,
        keepAlive: false,
        reuseAfterBody: false,
        balance: 'least-connections',
        queueTimeout: 30_000,
        queueLimit: 1024,
        connectTimeout: 5000,
        sendTimeout: 60_000,
        readTimeout: 60_000,
        timeout: 0,
        clientTimeout: 60_000,
        retries: 1,
        requestBuffering: 'auto',
        bodyLimit: 1024 ** 3,
        responseBuffer: 256 * 1024,
        interceptErrors: false,
        localRedirects: false,
        hideHeaders: new Set(),
        passHeaders: new Set(),
      },
    ])
    assert.equal(trustProxy, null)
    assert.equal(workers, null)
  })

  it('freezes the result and nothing of the caller', () => {
    const given = {
      servers: [{ name: 'a', address: 'localhost:9000' }],
      locations: [{ root: '/', servers: ['a'], match: [/x/g], hosts: ['A'], params: { A: 'b' } }],
      logger: { error: String, warn: String, info: String },
    }
    const resolved = resolveOptions(given)
    const [location] = resolved.locations
    assert.ok(location)
    for (const part of [resolved, resolved.servers, resolved.servers[0], resolved.locations, location]) {
      assert.ok(Object.isFrozen(part))
    }
    for (const list of [location.servers, location.match, location.hosts, location.index, location.scriptExtensions]) {
      assert.ok(Object.isFrozen(list))
    }
    for (const part of [given, given.servers, given.servers[0], given.locations, given.locations[0], given.logger]) {
      assert.ok(!Object.isFrozen(part))
    }
    assert.ok(!Object.isFrozen(console))
  })

  it('keeps nothing that the caller may change later', () => {
    const match = /x/g
    const location: LocationOptions = { root: '/', match, params: { A: 'b' } }
    const resolved = resolveOptions({ server, locations: [location] })
    location.params = {}
    match.lastIndex = 5
    assert.deepEqual(resolved.locations[0]?.params, new Map([['A', 'b']]))
    assert.deepEqual(resolved.locations[0]?.match, [/x/])
  })

  it('takes a key at the top level as the default of every location', () => {
    const { locations } = resolveOptions({
      server,
      root: '/srv/all',
      keepAlive: true,
      params: { A: '1' },
      locations: [
        {},
        { name: 'own', root: '/srv/own', keepAlive: false, params: { B: '2' } },
        { name: undefined as never },
      ],
    })
    assert.deepEqual(
      locations.map(({ name, root, keepAlive, params }) => [name, root, keepAlive, [...params.keys()]]),
      [
        ['location_0', '/srv/all', true, ['A']],
        ['own', '/srv/own', false, ['B']],
        ['location_1', '/srv/all', true, ['A']],
      ],
    )
  })

  it('resolves and cleans a root', () => {
    assert.equal(resolveLocation({ root: 'public/' }).root, resolve('public'))
    assert.equal(resolveLocation({ root: '/srv/www//' }).root, '/srv/www')
    assert.equal(resolveLocation({ root: '/' }).root, '/')
  })

  it('gives the front controller its leading slash', () => {
    assert.equal(resolveLocation({ frontController: 'index.php' }).frontController, '/index.php')
    assert.equal(resolveLocation({ frontController: '/app/index.php' }).frontController, '/app/index.php')
    assert.equal(resolveLocation({ frontController: false }).frontController, null)
  })

  it('compares hosts in lower case, without port and trailing dot', () => {
    const hosts = ['WWW.Example.com:8080', 'example.com.', '[::1]:80', '127.0.0.1', '*', 'bücher.example']
    assert.deepEqual(resolveLocation({ hosts }).hosts, [
      'www.example.com',
      'example.com',
      '[::1]',
      '127.0.0.1',
      '*',
      'xn--bcher-kva.example',
    ])
  })

  it('makes strings of parameters as PHP would, and sends nothing for false', () => {
    const compute = (): string => 'x'
    const params = { A: 1, B: true, C: false, D: undefined, E: '', F: compute, G: 'a b' }
    assert.deepEqual(
      [...resolveLocation({ params }).params],
      [
        ['A', '1'],
        ['B', '1'],
        ['C', ''],
        ['D', ''],
        ['E', ''],
        ['F', compute],
        ['G', 'a b'],
      ],
    )
  })

  it('takes the strings of files for times, sizes and flags', () => {
    const location = resolveLocation({ readTimeout: '2m', bodyLimit: '8m', timeout: 'none', keepAlive: 'On' as never })
    assert.deepEqual([location.readTimeout, location.bodyLimit, location.timeout], [120_000, 8 * 1024 ** 2, 0])
    assert.equal(location.keepAlive, true)
  })

  it('lifts limits with none, unlimited, 0 and Infinity where there is such a thing', () => {
    const { servers } = resolveOptions({ root: '/', server: { address: 'h:1', maxRequests: 0, idleTimeout: 'none' } })
    assert.equal(servers[0]?.maxRequests, Number.POSITIVE_INFINITY)
    assert.equal(servers[0]?.idleTimeout, Number.POSITIVE_INFINITY)
    assert.equal(resolveLocation({ readTimeout: Number.POSITIVE_INFINITY }).readTimeout, 0)
    assert.equal(resolveLocation({ bodyLimit: 'unlimited' }).bodyLimit, Number.POSITIVE_INFINITY)
    assert.equal(resolveLocation({ bodyLimit: 0 }).bodyLimit, 0)
  })

  it('takes true and false for requestBuffering', () => {
    assert.equal(resolveLocation({ requestBuffering: true }).requestBuffering, 'on')
    assert.equal(resolveLocation({ requestBuffering: false }).requestBuffering, 'off')
  })

  it('keeps names of headers in lower case', () => {
    assert.deepEqual(resolveLocation({ hideHeaders: 'X-Powered-By' }).hideHeaders, new Set(['x-powered-by']))
  })

  it('needs no root for one program', () => {
    const [location] = resolveOptions({ server, scriptFilename: '/usr/bin/app' }).locations
    assert.deepEqual([location?.root, location?.scriptFilename], [null, '/usr/bin/app'])
  })

  it('finds a PHP where no server is given, or auto', () => {
    for (const settings of [{}, { server: 'auto' }, { server: { command: 'auto' } }] as const) {
      const [found, ...others] = resolveOptions({ root: '/', ...settings }).servers
      assert.deepEqual([found?.name, found?.address, found?.command, others.length], ['default', null, 'auto', 0])
    }
  })

  it('takes a command as words or as a list, with the number of its processes', () => {
    const words = resolveOptions({ root: '/', server: { command: 'php-fpm -d "a=b c"', processes: 3 } }).servers
    assert.deepEqual([words[0]?.address, words[0]?.command, words[0]?.processes], [null, ['php-fpm', '-d', 'a=b c'], 3])
    const command = ['/srv/app', '', 'a b']
    const [listed] = resolveOptions({ root: '/', servers: [{ name: 'a', command }] }).servers
    assert.deepEqual([listed?.command, listed?.processes], [command, null])
    assert.notEqual(listed?.command, command)
    assert.ok(Object.isFrozen(listed?.command))
  })

  it('takes several servers for a location, and all of them by default', () => {
    const servers = ['a', 'b'].map((name) => ({ name, address: `/${name}` }))
    const { locations } = resolveOptions({
      servers,
      root: '/',
      locations: [{}, { servers: ['b', 'a'] }, { servers: 'b' }],
    })
    assert.deepEqual(
      locations.map((location) => location.servers),
      [['a', 'b'], ['b', 'a'], ['b']],
    )
  })

  it('takes what is needed of many servers', () => {
    const many = { weight: 1000, maxFails: 0, failTimeout: '1m', healthCheck: { script: '/srv/a b.php' } }
    const { servers, locations } = resolveOptions({
      root: '/',
      balance: 'ip-hash',
      servers: [
        { name: 'a', address: '/a', ...many },
        { name: 'b', command: 'php-fpm', backup: true, healthCheck: { ping: '/ping', interval: 500, timeout: '1m' } },
      ],
      locations: [{}, { balance: 'fill' }],
    })
    const [a, b] = servers
    assert.deepEqual([a?.weight, a?.backup, a?.maxFails, a?.failTimeout], [1000, false, 0, 60_000])
    assert.deepEqual(a?.healthCheck, { interval: 5000, timeout: 2000, ping: null, script: '/srv/a b.php' })
    assert.deepEqual(b?.healthCheck, { interval: 500, timeout: 60_000, ping: '/ping', script: null })
    assert.equal(b?.backup, true)
    assert.equal(Object.isFrozen(a?.healthCheck), true)
    assert.deepEqual(
      locations.map(({ balance }) => balance),
      ['ip-hash', 'fill'],
    )
  })

  it('lets a backup stand beside a server that is none', () => {
    const servers = [
      { name: 'a', address: '/a', backup: true },
      { name: 'b', address: '/b' },
    ]
    assert.equal(resolveOptions({ root: '/', servers }).locations[0]?.servers.length, 2)
    assert.equal(resolveOptions({ root: '/', servers, locations: [{ servers: 'b' }] }).locations.length, 1)
  })

  it('takes as many workers as the smallest server has connections, but what is started here is no matter', () => {
    const servers = [
      { name: 'a', address: '/a', maxConnections: 4 },
      { name: 'b', command: 'php-fpm', maxConnections: 1 },
    ]
    assert.equal(resolveOptions({ root: '/', servers, workers: 4 }).workers, 4)
  })
})

describe('resolveOptions refuses', () => {
  const cases: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ['what is no object', 'x', /^options: "x" is not allowed here; give an object$/],
    ['null', null, /^options: null/],
    [
      'an empty list of servers',
      { root: '/', servers: [] },
      /^servers: the list is empty; give .*address.*command.* or leave it out to start whatever PHP there is/,
    ],
    [
      'an address and a command',
      { root: '/', servers: [{ name: 'a', address: '/a', command: 'php-fpm' }] },
      /^servers\[0\]\.command: there is an address too/,
    ],
    [
      'processes without a command',
      { root: '/', server: { address: '/a', processes: 2 } },
      /^server\.processes: only a server with a command/,
    ],
    ['no processes', { root: '/', server: { command: 'a', processes: 0 } }, /^server\.processes: 0 .* from 1 on/],
    ['an open quotation', { root: '/', server: { command: "a 'b" } }, /^server\.command: a quotation does not end in/],
    ['a command of blanks', { root: '/', server: { command: ' ' } }, /^server\.command: " " names no program/],
    ['a command of nothing', { root: '/', server: { command: [] } }, /^server\.command: \[\] is not allowed here/],
    ['a NUL in a command', { root: '/', server: { command: ['a', '\0'] } }, /^server\.command: .* is not allowed here/],
    ['a command that is a number', { root: '/', server: { command: 1 } }, /^server\.command: 1 is not allowed here/],
    ['both forms of servers', { ...withServer({}), servers: [] }, /^server: give either server/],
    [
      'a location without a root',
      { server },
      /^root: the location "location_0" has no document root; give root .* DocumentRoot/,
    ],
    ['a root that is missing with checkLocal off', { server, checkLocal: false }, /^root: .* as the backend sees it/],
    ['an unknown key', withServer({ keepAlife: 1 }), /^keepAlife: there is no such option; did you mean keepAlive\?$/],
    ['a directive as an option', withServer({ DocumentRoot: '/' }), /did you mean root\?$/],
    ['a key of a server elsewhere', withServer({ maxConnections: 1 }), /^maxConnections: .* belongs to a server/],
    [
      'a key of the gateway in a location',
      withServer({ locations: [{ trustProxy: 1 }] }),
      /^locations\[0\]\.trustProxy: .* top level/,
    ],
    ['an inherited name as a key', withServer({ toString: 1 }), /^toString: there is no such option/],
    ['a balance that is none', withServer({ balance: 'fair' }), /^balance: "fair" .* fill, round-robin, least-conn/],
    ['a weight of 0', withOnly({ weight: 0 }), /^server\.weight: 0 .* a whole number from 1 to 1000$/],
    ['a weight over 1000', withOnly({ weight: 1001 }), /^server\.weight: 1001 /],
    ['a negative maxFails', withOnly({ maxFails: -1 }), /^server\.maxFails: -1 /],
    ['no failTimeout', withOnly({ failTimeout: 0 }), /^server\.failTimeout: 0 .* give 500ms, 5s/],
    ['a failTimeout without end', withOnly({ failTimeout: 'none' }), /^server\.failTimeout: "none" /],
    ['a health check that is text', withOnly({ healthCheck: '/ping' }), /^server\.healthCheck: .* give ping=\/path/],
    ['a health check in a list', withOnly({ healthCheck: [] }), /^server\.healthCheck: \[\] /],
    [
      'a health check of nothing',
      withOnly({ healthCheck: { interval: '1s' } }),
      /^server\.healthCheck: there is neither ping nor script; give one: /,
    ],
    [
      'a health check of two kinds',
      withOnly({ healthCheck: { ping: '/ping', script: '/a.php' } }),
      /^server\.healthCheck: there are both ping and script; give one/,
    ],
    [
      'an unknown word of a health check',
      withOnly({ healthCheck: { ping: '/ping', intervall: '1s' } }),
      /^server\.healthCheck\.intervall: there is no such option; did you mean interval\?$/,
    ],
    [
      'a ping without its slash',
      withOnly({ healthCheck: { ping: 'ping' } }),
      /^server\.healthCheck\.ping: "ping" .* begins with \/ and has no query/,
    ],
    ['a ping with a query', withOnly({ healthCheck: { ping: '/ping?json' } }), /^server\.healthCheck\.ping: /],
    ['a ping with a blank', withOnly({ healthCheck: { ping: '/p g' } }), /^server\.healthCheck\.ping: /],
    ['an empty script', withOnly({ healthCheck: { script: '' } }), /^server\.healthCheck\.script: "" /],
    ['an interval of 0', withOnly({ healthCheck: { ping: '/', interval: 0 } }), /^server\.healthCheck\.interval: 0 /],
    ['a timeout of none', withOnly({ healthCheck: { ping: '/', timeout: 'none' } }), /^server\.healthCheck\.timeout: /],
    [
      'backups alone',
      {
        root: '/',
        servers: [
          { name: 'a', address: '/a' },
          { name: 'b', address: '/b', backup: true },
        ],
        locations: [{ name: 'x', servers: 'b' }],
      },
      /^locations\[0\]\.servers: every server of the location "x" is a backup \(b\), .* leave backup out of one/,
    ],
    ['no workers', withServer({ workers: 0 }), /^workers: 0 /],
    [
      'more workers than connections',
      { ...withOnly({ maxConnections: 3 }), workers: 4 },
      /^workers: 4 processes share the server "default" with maxConnections 3, .* 4 or more/,
    ],
    ['workers of a location', withServer({ locations: [{ workers: 1 }] }), /^locations\[0\]\.workers: .* top level$/],
    ['a server without a name', { root: '/', servers: [{ address: '/a' }] }, /^servers\[0\]\.name is required/],
    [
      'a server without an address',
      { root: '/', servers: [{ name: 'a' }] },
      /^servers\[0\]\.address is required; give host:port/,
    ],
    ['an address that is none', { root: '/', server: 'php-fpm' }, /^server\.address: .*"php-fpm"/],
    ['a server that is a number', { root: '/', server: 9000 }, /^server: 9000 is not allowed here/],
    [
      'two servers of one name',
      {
        root: '/',
        servers: [
          { name: 'a', address: '/a' },
          { name: 'a', address: '/b' },
        ],
      },
      /^servers\[1\]\.name: "a" is servers\[0\] already/,
    ],
    [
      'an unknown server',
      { root: '/', servers: [{ name: 'php', address: '/a' }], locations: [{ servers: ['phq'] }] },
      /^locations\[0\]\.servers: there is no server "phq"; did you mean php\?/,
    ],
    ['a location of no servers', withServer({ locations: [{ servers: [] }] }), /at least one name of a server/],
    ['an empty list of locations', withServer({ locations: [] }), /^locations: the list is empty/],
    ['locations that are no list', withServer({ locations: {} }), /^locations: an object is not allowed here/],
    ['a location that is null', withServer({ locations: [null] }), /^locations\[0\]: null/],
    [
      'a wrong default that each location replaces',
      withServer({ readTimeout: 'x', locations: [{ readTimeout: 1 }] }),
      /^readTimeout: "x"/,
    ],
    ['null for a value', withServer({ keepAlive: null }), /^keepAlive: null is not allowed here/],
    ['a word for a flag', withServer({ keepAlive: 'yes' }), /^keepAlive: "yes" is not allowed here; give On or Off/],
    ['a time that no timer keeps', withServer({ readTimeout: 2 ** 31 }), /^readTimeout: 2147483648/],
    ['a negative time', withServer({ readTimeout: -1 }), /^readTimeout: -1/],
    ['NaN', withServer({ queueLimit: Number.NaN }), /^queueLimit: NaN/],
    [
      'no connections',
      { root: '/', server: { address: '/a', maxConnections: 0 } },
      /^server\.maxConnections: 0 .* from 1 on/,
    ],
    ['a size that is none', withServer({ bodyLimit: '1x' }), /^bodyLimit: "1x"/],
    ['a word that is none of those allowed', withServer({ symlinks: 'never' }), /^symlinks: "never" .* follow, inside/],
    ['a root with NUL', withServer({ root: 'a\0b' }), /^root: /],
    ['an empty root', withServer({ root: '' }), /^root: ""/],
    ['a URL for a root', withServer({ root: new URL('file:///x') }), /fileURLToPath/],
    ['an index with a slash', withServer({ index: ['a/b'] }), /^index\[0\]: "a\/b"/],
    ['a front controller above the root', withServer({ frontController: '/../x.php' }), /^frontController: /],
    ['a front controller with a query', withServer({ frontController: '/index.php?x' }), /^frontController: /],
    ['true for a front controller', withServer({ frontController: true }), /^frontController: true/],
    [
      'an extension without its dot',
      withServer({ scriptExtensions: 'php' }),
      /^scriptExtensions: "php" .* with their dot/,
    ],
    ['a list of no extensions', withServer({ scriptExtensions: [] }), /^scriptExtensions/],
    ['a list of no patterns', withServer({ match: [] }), /^match: .* at least one pattern/],
    [
      'a route that is none',
      withServer({ match: ['/ok', '/(x'] }),
      /^match\[1\]: "\/\(x" is no path-to-regexp 8 pattern/,
    ],
    ['a pattern that is a number', withServer({ match: 1 }), /^match: 1/],
    ['a host that is a URL', withServer({ hosts: 'http://a/' }), /^hosts: /],
    ['a host with a wildcard inside', withServer({ hosts: '*.example.com' }), /^hosts: /],
    ['a header that is no name', withServer({ hideHeaders: ['a b'] }), /^hideHeaders\[0\]: "a b"/],
    ['a parameter with = in its name', withServer({ params: { 'A=': '1' } }), /^params\.A=: /],
    ['a parameter with NUL', withServer({ params: { A: 'a\0' } }), /^params\.A: /],
    ['a parameter that is an object', withServer({ params: { A: {} } }), /^params\.A: an object/],
    ['parameters in a list', withServer({ params: ['A'] }), /^params: /],
    ['a logger without methods', withServer({ logger: { error: String } }), /^logger: /],
  ]
  for (const [what, options, message] of cases) {
    it(what, () => assert.match(messageOf(options), message))
  }
})
