import type { IncomingMessage } from 'node:http'
import { resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { FastCgiError } from '../errors.ts'
import { type Next, sendFailure } from '../http/failure.ts'
import { fastcgi as createHandler, type FastCgiHandler } from '../middleware.ts'
import { resolveOptions } from '../options/resolve.ts'
import type { FastCgiOptions, ResolvedLocation } from '../options/types.ts'
import type { DevHandler, DevServer } from './dev-server.ts'
import { sendFailurePage } from './failure-page.ts'
import { appendScript, wantsPage } from './page-script.ts'
import { isHtmlFile, scriptRequestTest } from './script-request.ts'

/** What concerns Vite alone. */
export interface VitePluginSettings {
  /**
   * Pages of PHP get Vite's client, and are loaded anew when a script changes. Default true. `false`: a page has what it says
   * itself, and nothing reloads it.
   */
  readonly reload?: boolean
}

/** A plugin for Vite 6 and later; fits Vite's own `Plugin`, whose types it does not need. */
export interface FastCgiVitePlugin {
  readonly name: 'express-fastcgi'
  readonly apply: 'serve'
  config(user: { readonly appType?: string | undefined }): { readonly appType?: 'mpa' }
  configResolved(config: DevServer['config']): void
  configureServer(server: DevServer): () => void
  closeBundle(this: { readonly environment?: object }): Promise<void>
}

/**
 * Runs PHP inside `vite dev`: scripts and index files go to PHP; modules, assets and HTML pages to Vite; what Vite does not have to
 * the front controller, if there is one. In `vite build` and `vite preview` it does nothing.
 * @param configuration as of the handler; roots are relative to Vite's root, which is the default
 * @throws OptionError, ConfigError before the server starts
 */
export function fastcgi(
  configuration: FastCgiOptions | string = {},
  settings: VitePluginSettings = {},
): FastCgiVitePlugin {
  // A restart of Vite makes the new server before it closes the old one.
  const handlers = new Map<object | undefined, FastCgiHandler>()
  return {
    name: 'express-fastcgi',
    apply: 'serve',
    // Vite's default answers every unknown path with index.html, before a front controller could.
    config: ({ appType }) => (appType === undefined ? { appType: 'mpa' } : {}),
    // A mistake must be told before Vite opens anything: a server that fails later is never closed.
    configResolved(config) {
      resolveOptions(devOptions(configuration, config))
    },
    configureServer(server) {
      const options = devOptions(configuration, server.config)
      const php = createHandler(options)
      handlers.set(server.environments.client, php)
      return install(server, { php, options, reload: settings.reload ?? true })
    },
    async closeBundle() {
      const php = handlers.get(this.environment)
      handlers.delete(this.environment)
      await php?.close()
    },
  }
}

export { fastcgi as default }

/** opcache looks at a file again after 2 s: too late for a page that is reloaded at once. */
const LOOK_AT_FILES = 'opcache.revalidate_freq=0'

function devOptions(configuration: FastCgiOptions | string, config: DevServer['config']): FastCgiOptions {
  const given = typeof configuration === 'string' ? loadConfig(resolve(config.root, configuration)) : configuration
  const locations = given.locations?.map((location) =>
    location.root === undefined ? location : { ...location, root: resolve(config.root, location.root) },
  )
  return {
    logger: config.logger,
    ...given,
    ...(locations === undefined ? {} : { locations }),
    root: resolve(config.root, given.root ?? ''),
    params: { PHP_VALUE: LOOK_AT_FILES, ...given.params },
  }
}

interface Installation {
  readonly php: FastCgiHandler
  readonly options: FastCgiOptions
  readonly reload: boolean
}

/** Scripts before Vite; returns what Vite calls when its own handlers stand: the rest behind them. */
function install(server: DevServer, { php, options, reload }: Installation): () => void {
  const { base, root } = server.config
  const resolved = resolveOptions(options)
  const isScript = scriptRequestTest(resolved)
  const script = reload ? `\n<script type="module" src="${base}@vite/client"></script>\n` : ''
  const runScript = devHandler(php, { script, passOn: keepSource })
  const serve = devHandler(php, { script, passOn: () => undefined })
  // With middlewareMode and a base, Vite's handlers see requests outside of the base too.
  const inside = new WeakSet<IncomingMessage>()
  if (reload) reloadOnChange(server, resolved.locations)
  server.middlewares.use(base, (req, res, next) => {
    inside.add(req)
    const leave = enterMount(req, base, next)
    isScript(req).then((yes) => (yes ? runScript(req, res, leave) : leave()), leave)
  })
  return () => {
    server.middlewares.use((req, res, next) => {
      if (!inside.has(req) || isHtmlFile(req, root)) return next()
      serve(req, res, enterMount(req, base, next))
    })
  }
}

/** Adds to the handler what a developer wants to see. `passOn` may say why a request that is not served must not go on to Vite. */
function devHandler(
  php: FastCgiHandler,
  { script, passOn }: { readonly script: string; readonly passOn: (req: IncomingMessage) => FastCgiError | undefined },
): DevHandler {
  return (req, res, next) => {
    const isPage = wantsPage(req)
    const takeBack = isPage && script !== '' ? appendScript(res, script) : () => undefined
    php(req, res, (failure) => {
      takeBack()
      const error = failure ?? passOn(req)
      if (!(error instanceof FastCgiError)) return next(error)
      if (isPage && !res.headersSent) sendFailurePage(res, error, script)
      else sendFailure(error, { req, res, next: undefined })
    })
  }
}

function keepSource({ url }: IncomingMessage): FastCgiError {
  const detail = `No script is at ${url}, and Vite is not asked: it would send the source of a script as text.`
  return new FastCgiError('ERR_FCGI_SCRIPT_HIDDEN', { detail })
}

/** Connect does not say where a handler is mounted, and Express around it would say only its own part. */
function enterMount(req: IncomingMessage & { baseUrl?: string }, base: string, next: Next): Next {
  const { baseUrl } = req
  if (baseUrl === undefined || base === '/') return next
  req.baseUrl = baseUrl + base.slice(0, -1)
  return (error) => {
    req.baseUrl = baseUrl
    next(error)
  }
}

function reloadOnChange({ watcher, ws }: DevServer, locations: readonly ResolvedLocation[]): void {
  const roots = locations.flatMap(({ root }) => root ?? [])
  const extensions = locations.flatMap(({ scriptExtensions }) => scriptExtensions)
  // They may lie outside of Vite's own root.
  watcher.add(roots)
  watcher.on('all', (_event, file) => {
    if (extensions.some((extension) => file.endsWith(extension))) ws.send({ type: 'full-reload', path: '*' })
  })
}
