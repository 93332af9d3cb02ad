import { command } from './command.ts'
import { healthCheck } from './health-check.ts'
import { type Keys, key, special } from './key.ts'
import { address, count, duration, flag, label, name, names, oneOf, positiveDuration, size } from './kinds.ts'
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
    'Open connections, busy and idle together, over all cluster workers; a request over it waits (QueueTimeout).',
  ),
  maxRequests: key(
    'MaxRequests',
    count(1, { limitless: true }),
    'unlimited',
    'Requests on one kept connection before it is closed.',
  ),
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
  weight: key('Weight', count(1, { max: 1000 }), '1', 'Its part of the requests beside other servers (Balance).'),
  backup: key('Backup', flag, 'Off', 'On: serves only while no other server of the location is up.'),
  maxFails: key(
    'MaxFails',
    count(0),
    '3',
    'So many failures within FailTimeout, none answered between, take it down; 0: it is never taken down.',
  ),
  failTimeout: key(
    'FailTimeout',
    positiveDuration,
    '10s',
    'How long failures count, and how long it is down before one request tries it.',
  ),
  healthCheck: special(
    'HealthCheck',
    healthCheck,
    { shown: 'none', absent: null },
    'Ask it every interval (5s) whether it is up, within timeout (2s): ping is a page that php-fpm answers by itself, script a file.',
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
  balance: key(
    'Balance',
    oneOf('fill', 'round-robin', 'least-connections', 'random', 'ip-hash'),
    'least-connections',
    "Which of its servers a request goes to; fill, the order of the file, is Monkey's.",
  ),
  queueTimeout: key('QueueTimeout', duration(0), '30s', 'Waiting for a connection; then 503.'),
  queueLimit: key('QueueLimit', count(0), '1024', 'Requests that may wait; then 503.'),
  connectTimeout: key('ConnectTimeout', duration(0), '5s', 'Until the backend has accepted; then 504.'),
  sendTimeout: key('SendTimeout', duration(0), '60s', 'Between two writes to the backend; then 504.'),
  readTimeout: key('ReadTimeout', duration(0), '60s', 'Between two reads from the backend; then 504.'),
  timeout: key('Timeout', duration(0), 'none', 'For the whole exchange with the backend; then 504.'),
  clientTimeout: key(
    'ClientTimeout',
    duration(0),
    '60s',
    'A client that sends nothing more of its body, or takes nothing more of its answer, is closed.',
  ),
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
export const gatewayKeys: Keys<Pick<ResolvedOptions, 'trustProxy' | 'workers'>> = {
  trustProxy: special(
    'TrustForwarded',
    trustProxy,
    { shown: "Express's `trust proxy`, else nobody", absent: null },
    'Who may say X-Forwarded-*: On, Off, a number of hops, networks, loopback, linklocal, uniquelocal.',
  ),
  workers: special(
    'Workers',
    count(1),
    { shown: "Node's cluster, as its workers need", absent: null },
    "So many processes share each server's MaxConnections, each its fixed part: for PM2 and containers.",
  ),
}
