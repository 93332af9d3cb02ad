import { command } from './command.ts'
import { address, count, duration, flag, type Kind, label, name, names, oneOf, size } from './kinds.ts'
import {
  frontController,
  headerNames,
  hosts,
  index,
  match,
  params,
  root,
  scriptExtensions,
  scriptFilename,
} from './location-kinds.ts'
import { trustProxy } from './trust-proxy.ts'
import type { ResolvedLocation, ResolvedOptions, ResolvedServer } from './types.ts'

/** One option: how files call it, what it takes, what stands when it is not given. */
export interface Key<T> {
  /** Its names in files; all but `Match`, `Route`, `ServerAddr` and `ServerPath` have one. */
  readonly directives: readonly string[]
  readonly kind: Kind<T>
  /** The default as a file writes it, or null where a file has no words for it. */
  readonly written: string | null
  /** The default as the reference shows it. */
  readonly shown: string
  /** The default itself; undefined: required, or made of the rest. */
  readonly absent: T | undefined
  /** One line for the reference. */
  readonly meaning: string
}

/** The keys of a section, as many as its resolved type has: the compiler keeps the table complete. */
export type Keys<T> = { readonly [K in keyof T]: Key<T[K]> }

/** A key whose default a file can write. */
function key<T>(directive: string, kind: Kind<T>, written: string, meaning: string): Key<T> {
  const absent = kind.resolve(kind.read(written), directive)
  return { directives: [directive], kind, written, shown: `\`${written}\``, absent, meaning }
}

/** A key whose default no file can write. */
function special<T>(
  directives: string,
  kind: Kind<T>,
  fallback: Pick<Key<T>, 'shown' | 'absent'>,
  meaning: string,
): Key<T> {
  return { directives: directives.split(' '), kind, written: null, ...fallback, meaning }
}

/** `[FASTCGI_SERVER]`, an item of `servers`. */
export const serverKeys: Keys<ResolvedServer> = {
  name: special(
    'ServerName',
    name,
    { shown: 'required', absent: undefined },
    'What ServerNames calls it; unique, case-sensitive.',
  ),
  address: special(
    'ServerAddr ServerPath',
    address,
    { shown: 'required but with Command', absent: null },
    'ServerAddr: `host:port`, `[v6]:port`. ServerPath: a unix socket, relative to the file. One of the two.',
  ),
  command: special(
    'Command',
    command,
    { shown: 'none', absent: null },
    'Start the backend here and watch it, instead of an address: words as in a shell, a program with a slash in it relative to the file.',
  ),
  processes: special(
    'Processes',
    count(1),
    { shown: 'PHP: two per core, at least 4; else 1', absent: null },
    "With Command: how many processes, or php-fpm's children.",
  ),
  maxConnections: key(
    'MaxConnections',
    count(1),
    '64',
    'Open connections, busy and idle together; a request over it waits (QueueTimeout).',
  ),
  maxRequests: key('MaxRequests', count(1, true), 'unlimited', 'Requests on one kept connection before it is closed.'),
  idleTimeout: key(
    'IdleTimeout',
    duration(Number.POSITIVE_INFINITY),
    '30s',
    'A kept connection that is idle for so long is closed.',
  ),
  restarts: key(
    'Restarts',
    flag,
    'Off',
    'Its processes are started again when they die, as with Command: a GET that loses its process before the first byte is repeated.',
  ),
}

/** `[FASTCGI_LOCATION]`, an item of `locations`; in `[FASTCGI]` or at the top level: the default of every location. */
export const locationKeys: Keys<ResolvedLocation> = {
  name: special('LocationName', label, { shown: '`location_N`', absent: undefined }, 'For messages and the log.'),
  servers: special(
    'ServerNames',
    names,
    { shown: 'required in a file, else all', absent: undefined },
    'Names of servers; an unknown one is an error.',
  ),
  match: special(
    'Match Route',
    match,
    { shown: '`\\.php(/\\|$)`', absent: Object.freeze([/\.php(?:\/|$)/]) },
    'Which paths: decoded, inside the mount, without the query. Match: POSIX regular expressions, spaces between them. Route: path-to-regexp, such as `/wiki{/*page}`.',
  ),
  hosts: special(
    'Host',
    hosts,
    { shown: 'any', absent: Object.freeze([]) },
    'Names of a virtual host, case-insensitive, port ignored; `*`: hosts that no location names.',
  ),
  root: special(
    'DocumentRoot',
    root,
    { shown: 'required but with ScriptFilename', absent: null },
    'Document root, relative to the file, in JavaScript to the working directory.',
  ),
  index: key('Index', index, 'index.php', 'For a path that ends in `/`; Off: none.'),
  frontController: key(
    'FrontController',
    frontController,
    'Off',
    'Script for paths that are no file, such as `/index.php`.',
  ),
  scriptExtensions: key('ScriptExtensions', scriptExtensions, '.php', 'Where a path splits into script and PATH_INFO.'),
  checkLocal: key(
    'CheckLocal',
    flag,
    'On',
    'The script must exist here, under DocumentRoot. Off: the backend has other disks (containers).',
  ),
  scriptFilename: special(
    'ScriptFilename',
    scriptFilename,
    { shown: 'none', absent: null },
    'One program for the whole location, as the backend knows it; `:page` stands for a parameter of the Route.',
  ),
  params: special(
    'Param',
    params,
    { shown: 'none', absent: new Map() },
    '`Param NAME value`, any number of them: written last, each replaces what was computed; without a value: not sent.',
  ),
  symlinks: key('Symlinks', oneOf('follow', 'inside'), 'follow', 'inside: a link that leaves the root is not there.'),
  resolveRoot: key('ResolveRoot', flag, 'Off', "Send the root's real path (deployments that switch a link)."),
  static: key('Static', flag, 'Off', "Serve other files under the root too, never a dotfile nor a script's source."),
  keepAlive: key('KeepAlive', flag, 'Off', 'FCGI_KEEP_CONN: use connections again.'),
  reuseAfterBody: key(
    'ReuseAfterBody',
    flag,
    'Off',
    'With KeepAlive: also after a request with a body (CVE-2026-129289).',
  ),
  queueTimeout: key('QueueTimeout', duration(0), '30s', 'Waiting for a connection; then 503.'),
  queueLimit: key('QueueLimit', count(0), '1024', 'Requests that may wait; then 503.'),
  connectTimeout: key('ConnectTimeout', duration(0), '5s', 'Until the backend has accepted; then 504.'),
  sendTimeout: key('SendTimeout', duration(0), '60s', 'Between two writes to the backend; then 504.'),
  readTimeout: key('ReadTimeout', duration(0), '60s', 'Between two reads from the backend; then 504.'),
  timeout: key('Timeout', duration(0), 'none', 'For the whole exchange with the backend; then 504.'),
  retries: key('Retries', count(0), '1', 'Other attempts after a failure that cannot have run the script.'),
  requestBuffering: key(
    'RequestBuffering',
    oneOf('auto', 'on', 'off'),
    'auto',
    'on: a body is whole before a backend is taken; off: it streams; auto: small ones whole, large ones stream.',
  ),
  bodyLimit: key('BodyLimit', size(0, true), '1g', 'Longest request body; then 413.'),
  responseBuffer: key(
    'ResponseBuffer',
    size(1),
    '256k',
    'Read ahead of a slow client before the backend is held back.',
  ),
  interceptErrors: key(
    'InterceptErrors',
    flag,
    'Off',
    "Statuses from 400 on go to next(err) instead of the script's page.",
  ),
  localRedirects: key(
    'LocalRedirects',
    flag,
    'Off',
    'A lone path in Location is answered inside (RFC 3875 section 6.2.2).',
  ),
  hideHeaders: special(
    'HideHeaders',
    headerNames,
    { shown: 'none', absent: new Set() },
    "The script's response headers that are not passed on.",
  ),
  passHeaders: special(
    'PassHeaders',
    headerNames,
    { shown: 'none', absent: new Set() },
    'Response headers that are passed on although they are kept by default (`X-Accel-*`).',
  ),
}

/** What concerns the gateway as a whole: the top level, `[FASTCGI]` in a file. */
export const gatewayKeys: Keys<Pick<ResolvedOptions, 'trustProxy'>> = {
  trustProxy: special(
    'TrustForwarded',
    trustProxy,
    { shown: "Express's `trust proxy`, else nobody", absent: null },
    'Who may say X-Forwarded-*: On, Off, a number of hops, networks, loopback, linklocal, uniquelocal.',
  ),
}

/** Keys of later releases by lower-case name; a test keeps them out of the tables above. */
const LATER_KEYS: ReadonlySet<string> = new Set(['weight', 'backup', 'maxfails', 'failtimeout', 'balance'])

/** Whether a key, as an option or a directive, is planned but not in this release. */
export function isLaterKey(key: string): boolean {
  return LATER_KEYS.has(key.toLowerCase())
}
