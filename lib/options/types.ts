import type { IncomingMessage } from 'node:http'

/** A size: a number of bytes, or `10k`, `1m`, `1g` (powers of 1024). */
export type Size = number | string

/** A duration: a number of milliseconds, or `500ms`, `5s`, `2m`, `1h`. */
export type Duration = number | string

/** Console-like or pino-like: each method is called with one string. */
export interface Logger {
  error(message: string): void
  warn(message: string): void
  info(message: string): void
}

/** What may match a path: a RegExp, or a path-to-regexp 8 pattern such as `/wiki{/*page}`. */
export type Match = RegExp | string

/** A parameter's value; a function is asked once a request, `undefined` means: do not send. */
export type ParamValue = string | number | boolean | undefined | ((req: IncomingMessage) => string | undefined)

/** Who may say `X-Forwarded-*`: yes or no to all, a number of hops, names and networks as proxy-addr takes them, or a function. */
export type TrustProxy = boolean | number | string | readonly string[] | ((address: string, hop: number) => boolean)

/** How a location shares its requests out among its servers; docs/balancing.md tells them apart. */
export type Balance = 'fill' | 'round-robin' | 'least-connections' | 'random' | 'ip-hash'

/** A request of our own, every now and then, that a server which is up answers; one of `ping` and `script`. */
export interface HealthCheckOptions {
  /** From one check to the next. Default 5 s. */
  interval?: Duration
  /** For the whole check. Default 2 s. */
  timeout?: Duration
  /** The path of a page that the application answers by itself, as php-fpm's `ping.path`. */
  ping?: string
  /** The file of a script, as the backend knows it. */
  script?: string
}

/** `[FASTCGI_SERVER]`: where a FastCGI application listens. */
export interface ServerOptions {
  /** Referred to by a location's `servers`; unique, case-sensitive. */
  name: string
  /** `host:port`, `[v6]:port`, or the path of a unix socket. Required, but with `command`. */
  address?: string
  /**
   * Start the backend here, with the first request, and watch it: a command line, split like a shell's words, or a program and
   * its parameters; `auto` for whatever PHP there is. php-fpm gets a configuration, any other program a listening socket as
   * file descriptor 0.
   */
  command?: string | readonly string[]
  /** With `command`: how many processes, or php-fpm's children. Default for PHP two per core, at least 4; else 1. */
  processes?: number
  /** Connections open at once, busy and idle together, a total over cluster workers; more requests wait. Default 64. */
  maxConnections?: number
  /** Requests on one kept connection before it is closed. Default unlimited. */
  maxRequests?: number
  /** How long a kept connection may be idle. Default 30 s. */
  idleTimeout?: Duration
  /**
   * Somebody starts its processes again when they die (we do so with `command`): a GET whose process dies before the first byte of
   * its answer is sent again. Default false.
   */
  restarts?: boolean
  /** Its part of the requests beside other servers, up to 1000. Default 1. */
  weight?: number
  /** Serves only while no other server of the location is up. Default false. */
  backup?: boolean
  /** So many failures within `failTimeout`, none answered between, take it down; 0: it is never taken down. Default 3. */
  maxFails?: number
  /** How long failures count, and how long it is down before one request tries it. Default 10 s. */
  failTimeout?: Duration
  /** Ask it now and then whether it is up, rather than learn it from users' requests alone. Default none. */
  healthCheck?: HealthCheckOptions
}

/** What a location does; given at the top level of {@link FastCgiOptions} it is the default of every location. */
export interface LocationSettings {
  /** FCGI_KEEP_CONN and reuse of the connection. Default false. */
  keepAlive?: boolean
  /** Also reuse a connection that carried a request body (php-fpm.md 3 tells why not). Default false. */
  reuseAfterBody?: boolean
  /** Which decoded paths, inside the mount and without the query, are served. Default PHP: `\.php(/|$)`. */
  match?: Match | readonly Match[]
  /** Host names of a virtual host, case-insensitive, port ignored; `*` stands for hosts that no location names. Default any. */
  hosts?: string | readonly string[]
  /** Document root; relative to the working directory. Required for scripts on disk. */
  root?: string
  /** For a path that ends in `/`; `false`: none. Default `index.php`. */
  index?: string | readonly string[] | false
  /** Script for paths that are no file, as `/index.php`. Default false. */
  frontController?: string | false
  /** Where a path splits into script and PATH_INFO. Default `.php`. */
  scriptExtensions?: string | readonly string[]
  /** The script must exist here, under root. `false`: the backend has other disks (containers). Default true. */
  checkLocal?: boolean
  /** One program for the whole location; `:name` stands for a parameter of the route. */
  scriptFilename?: string
  /** Written last, each replaces what was computed; an empty string or `undefined`: not sent. */
  params?: Readonly<Record<string, ParamValue>>
  /** `inside`: a link that leaves the root is not there. Default `follow`. */
  symlinks?: 'follow' | 'inside'
  /** Send the root's real path (deployments that switch a link under opcache). Default false. */
  resolveRoot?: boolean
  /** Serve other files under root too, never a dotfile nor a script's source. Default false. */
  static?: boolean
  /** Which of its servers a request goes to. Default least-connections. */
  balance?: Balance
  /** Waiting for a connection; then 503. Default 30 s. */
  queueTimeout?: Duration
  /** Requests that may wait; then 503. Default 1024. */
  queueLimit?: number
  /** Until the backend has accepted the connection; then 504. Default 5 s. */
  connectTimeout?: Duration
  /** Between two successful writes to the backend; then 504. Default 60 s. */
  sendTimeout?: Duration
  /** Between two reads from the backend; then 504. Default 60 s. */
  readTimeout?: Duration
  /** For the whole exchange with the backend; then 504. Default none (0). */
  timeout?: Duration
  /** A client that is waited for and sends nothing of its body, or takes nothing of its answer, is closed. Default 60 s. */
  clientTimeout?: Duration
  /** Other attempts after a failure that cannot have run the script. Default 1. */
  retries?: number
  /** `auto`, `on` (always whole before a backend is taken) or `off` (always stream). Default `auto`. */
  requestBuffering?: 'auto' | 'on' | 'off' | boolean
  /** Longest request body; then 413. Default 1g. */
  bodyLimit?: Size
  /** Read ahead of a slow client before the backend is held back. Default 256k. */
  responseBuffer?: Size
  /** Answers with a status of 400 or more go to `next(err)` instead of the script's page. Default false. */
  interceptErrors?: boolean
  /** RFC 3875 section 6.2.2: an answer of a lone path in Location is served by another request inside. Default false. */
  localRedirects?: boolean
  /** Response headers of the script that are not passed on. */
  hideHeaders?: string | readonly string[]
  /** Response headers that are passed on although nginx's habit is to keep them (`X-Accel-*`). */
  passHeaders?: string | readonly string[]
}

/** `[FASTCGI_LOCATION]`: which requests go to which servers, and how. */
export interface LocationOptions extends LocationSettings {
  /** For messages and the log. Default `location_N`. */
  name?: string
  /** Names of servers. Default: all of them. */
  servers?: string | readonly string[]
}

/** Everything that `fastcgi()` takes. */
export interface FastCgiOptions extends LocationSettings {
  /** The short form: the address of the only server, or its options. `auto`, or no server at all: a PHP is found and started. */
  server?: string | Omit<ServerOptions, 'name'>
  servers?: readonly ServerOptions[]
  /** Default: one location with the settings given at the top level. */
  locations?: readonly LocationOptions[]
  /** Default Express's `trust proxy` setting; outside Express: nobody. */
  trustProxy?: TrustProxy
  /**
   * Processes that share each server's `maxConnections`, this one among them, each with its fixed part: for PM2 and containers.
   * Default: with Node's cluster the workers share as they need, else this process has all.
   */
  workers?: number
  /** Default: the console. `false`: no log. */
  logger?: Logger | false
}

/** A health check, complete: exactly one of `ping` and `script`. Durations in milliseconds. */
export interface ResolvedHealthCheck {
  readonly interval: number
  readonly timeout: number
  /** With a leading slash. */
  readonly ping: string | null
  readonly script: string | null
}

/** A server, complete. Durations in milliseconds; `Number.POSITIVE_INFINITY` stands for no limit. */
export interface ResolvedServer {
  readonly name: string
  /** Null: it is started here. */
  readonly address: string | null
  /** How it is started; `auto`: whatever PHP there is; null: it runs at its address. */
  readonly command: readonly string[] | 'auto' | null
  /** Null: what suits the program and the machine. */
  readonly processes: number | null
  readonly maxConnections: number
  readonly maxRequests: number
  readonly idleTimeout: number
  readonly restarts: boolean
  /** From 1 on. */
  readonly weight: number
  readonly backup: boolean
  /** 0: it is never taken down. */
  readonly maxFails: number
  readonly failTimeout: number
  /** Null: none. */
  readonly healthCheck: ResolvedHealthCheck | null
}

/** A location, complete. Durations in milliseconds (0: none), sizes in bytes. */
export interface ResolvedLocation {
  readonly name: string
  readonly servers: readonly string[]
  readonly match: readonly Match[]
  /** Lower case, without port; empty: any host. */
  readonly hosts: readonly string[]
  /** Absolute, without a slash at the end (but for `/`); null only with `scriptFilename`. */
  readonly root: string | null
  readonly index: readonly string[]
  /** With a leading slash. */
  readonly frontController: string | null
  readonly scriptExtensions: readonly string[]
  readonly checkLocal: boolean
  readonly scriptFilename: string | null
  readonly params: ReadonlyMap<string, string | ((req: IncomingMessage) => string | undefined)>
  readonly symlinks: 'follow' | 'inside'
  readonly resolveRoot: boolean
  readonly static: boolean
  readonly keepAlive: boolean
  readonly reuseAfterBody: boolean
  readonly balance: Balance
  readonly queueTimeout: number
  readonly queueLimit: number
  readonly connectTimeout: number
  readonly sendTimeout: number
  readonly readTimeout: number
  readonly timeout: number
  readonly clientTimeout: number
  readonly retries: number
  readonly requestBuffering: 'auto' | 'on' | 'off'
  readonly bodyLimit: number
  readonly responseBuffer: number
  readonly interceptErrors: boolean
  readonly localRedirects: boolean
  /** Lower case. */
  readonly hideHeaders: ReadonlySet<string>
  /** Lower case. */
  readonly passHeaders: ReadonlySet<string>
}

/** The options of a gateway, complete and frozen. */
export interface ResolvedOptions {
  readonly servers: readonly ResolvedServer[]
  readonly locations: readonly ResolvedLocation[]
  /** Null: ask the Express application that a request came through, if any. */
  readonly trustProxy: ((address: string, hop: number) => boolean) | null
  readonly logger: Logger | null
  /** Processes that share each server's `maxConnections` in fixed parts; null: Node's cluster is asked. */
  readonly workers: number | null
}
