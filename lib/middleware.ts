import type { IncomingMessage, ServerResponse } from 'node:http'
import { installDealer } from './cluster/primary.ts'
import { readConfig } from './config/load.ts'
import { OptionError } from './errors.ts'
import { LiveGateway } from './gateway/live-gateway.ts'
import type { GatewayStatus } from './gateway/status.ts'
import type { Next } from './http/failure.ts'
import { resolveOptions } from './options/resolve.ts'
import type { FastCgiOptions } from './options/types.ts'
import { optionWarnings } from './options/warnings.ts'
import { type StatusHandler, type StatusOptions, statusHandler } from './status/status-handler.ts'

/** A handler for Express 4 and 5, Connect and `http.createServer`; without `next`, what it does not serve is a 404. */
export interface FastCgiHandler {
  (req: IncomingMessage, res: ServerResponse, next?: Next): void
  /**
   * Serves with another configuration from the next request on; without one, with the last one given, whose file is read again.
   * Requests under way finish with the old one. Servers with the same name, address (or command and processes) and `idleTimeout`
   * keep their connections; those that are gone are closed behind their last request.
   * @throws OptionError, ConfigError as {@link fastcgi}, FastCgiError when it is closed: the old configuration serves on
   */
  reload(configuration?: FastCgiOptions | string): void
  /** Refuses new requests with 503, lets those under way finish, then closes every connection. */
  close(): Promise<void>
  status(): GatewayStatus
}

/** `fastcgi` itself: makes handlers, and pages that show how they are. */
export interface FastCgi {
  /**
   * Makes a handler that serves requests through FastCGI.
   * @param configuration options, or the path of a configuration file or of a Monkey 1.6 `conf` directory
   * @throws OptionError for a mistake in the options; ConfigError with every mistake of a file. Nothing is served then.
   */
  (configuration: FastCgiOptions | string): FastCgiHandler
  /**
   * Makes a handler that shows how another one is: a page, JSON (`?format=json`) or Prometheus's text (`?format=prometheus`). It takes samples
   * until the other one is closed.
   * @throws OptionError for a mistake in the options
   */
  status(handler: FastCgiHandler, options?: StatusOptions): StatusHandler
}

// The primary of a cluster deals connections out to its workers, whether or not it serves requests itself: importing us is enough.
installDealer()

/** What stands behind each handler. */
const gateways = new WeakMap<FastCgiHandler, LiveGateway>()

/** Makes a handler that serves requests through FastCGI; see {@link FastCgi}. */
export const fastcgi: FastCgi = Object.assign(createHandler, { status: createStatusHandler })

function createHandler(configuration: FastCgiOptions | string): FastCgiHandler {
  const gateway = new LiveGateway()
  let last = configuration
  const load = (given: FastCgiOptions | string): void => {
    const { options, warnings } = typeof given === 'string' ? readConfig(given) : { options: given, warnings: [] }
    const resolved = resolveOptions(options)
    gateway.load(resolved)
    last = given
    for (const warning of [...warnings, ...optionWarnings(resolved)]) resolved.logger?.warn(warning)
  }
  load(configuration)
  const handle = (req: IncomingMessage, res: ServerResponse, next?: Next): void => gateway.handle(req, res, next)
  const handler = Object.assign(handle, {
    reload: (given: FastCgiOptions | string = last): void => load(given),
    close: (): Promise<void> => gateway.close(),
    status: (): GatewayStatus => gateway.status(),
  })
  gateways.set(handler, gateway)
  return handler
}

function createStatusHandler(handler: FastCgiHandler, options: StatusOptions = {}): StatusHandler {
  const gateway = gateways.get(handler)
  if (gateway === undefined) throw new OptionError('status: give the handler that fastcgi() has made')
  return statusHandler(gateway, options, gateway.closed)
}
