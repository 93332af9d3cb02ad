import cluster from 'node:cluster'
import type { AddressInfo } from 'node:net'
import { isIPv6 } from 'node:net'
import { isatty } from 'node:tty'
import { fastcgi } from '../index.ts'
import { describeRoot, openBackend } from './serve-backend.ts'
import { openBrowser } from './serve-browser.ts'
import { checkFiles, parseServeCommand, type ServeCommand } from './serve-command.ts'
import { openConfiguration } from './serve-configuration.ts'
import { SiteLog } from './serve-log.ts'
import { startSite } from './serve-running.ts'
import type { SiteBackend, SiteSetup } from './serve-setup.ts'
import { ServeSignals } from './serve-signals.ts'
import { Site } from './serve-site.ts'
import { runWorker } from './serve-worker.ts'

/** Serves a site until it is told to stop. Resolves with the exit code. */
export async function runServe(args: readonly string[]): Promise<number> {
  const command = parseServeCommand(args)
  const log = new SiteLog(process.stdout, process.stderr)
  const createSite = (setup: SiteSetup): Site => siteOf(command, setup, log)
  if (cluster.isWorker) return await runWorker((setup) => log.silently(() => createSite(setup)), command.host)
  checkFiles(command)
  // The terminal of a server in the foreground may be closed; the input of a service is none.
  const signals = new ServeSignals({ reloads: command.config !== null && !isatty(0) })
  try {
    await serve(command, { log, signals, createSite })
  } finally {
    signals.forget()
  }
  return 0
}

interface Surroundings {
  readonly log: SiteLog
  readonly signals: ServeSignals
  readonly createSite: (setup: SiteSetup) => Site
}

async function serve(command: ServeCommand, { log, signals, createSite }: Surroundings): Promise<void> {
  const { config } = command
  const backend = config === null ? await openBackend(command, log) : await openConfiguration(command, config, log)
  try {
    const site = await startSite(command, { setup: backend, log, createSite })
    announce(command, { address: site.address, backend, log })
    const following = backend.follow(site)
    if (following !== null) signals.onReload(() => following.reload())
    await signals.first
    await following?.stop()
    log.info(stopping(site.active))
    await site.stop()
  } finally {
    await backend.stop()
  }
}

function siteOf({ frontController, config, root }: ServeCommand, { label, options }: SiteSetup, log: SiteLog): Site {
  return new Site({
    php: fastcgi({ ...options, logger: log }),
    log,
    backend: label,
    root: config !== null && root === null ? null : (options.root ?? null),
    frontController,
  })
}

function announce(
  command: ServeCommand,
  { address, backend, log }: { readonly address: AddressInfo; readonly backend: SiteBackend; readonly log: SiteLog },
): void {
  const url = `http://${authority(address)}/`
  const workers = command.workers > 1 ? `, ${command.workers} workers` : ''
  log.info(`${describeRoot(command)} with ${backend.description}${workers}`)
  log.info(`${url} (Ctrl-C ends it)`)
  if (command.open) openBrowser(url, (warning) => log.warn(warning))
}

/** The address to type into a browser: `0.0.0.0` and `::` are where a server listens, not where one connects. */
function authority({ address, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `localhost:${port}`
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}

/** Null: not known. */
function stopping(active: number | null): string {
  if (active === 0) return 'Stopped'
  const running =
    active === null ? 'running requests' : active === 1 ? 'a running request' : `${active} running requests`
  return `Finishing ${running} (Ctrl-C again ends at once)`
}
