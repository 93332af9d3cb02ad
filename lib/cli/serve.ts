import cluster from 'node:cluster'
import type { AddressInfo } from 'node:net'
import { isIPv6 } from 'node:net'
import { type BackendFacts, createHandler, describeRoot, openBackend, rootOf } from './serve-backend.ts'
import { openBrowser } from './serve-browser.ts'
import { checkFiles, parseServeCommand, type ServeCommand } from './serve-command.ts'
import { SiteLog } from './serve-log.ts'
import { StopSignals } from './serve-signals.ts'
import { Site } from './serve-site.ts'
import { runWorker, WorkerPool } from './serve-workers.ts'

/** Serves a site until it is told to stop. Resolves with the exit code. */
export async function runServe(args: readonly string[]): Promise<number> {
  const command = parseServeCommand(args)
  const log = new SiteLog(process.stdout, process.stderr)
  if (cluster.isWorker) return await runWorker((backend) => createSite(command, backend, log), command.host)
  checkFiles(command)
  const signals = new StopSignals()
  const backend = await openBackend(command, log)
  try {
    if (command.workers > 1) await servePool(command, { backend, log, signals })
    else await serveSite(command, { backend, log, signals })
  } finally {
    await backend.stop()
    signals.forget()
  }
  return 0
}

interface Serving {
  readonly backend: BackendFacts
  readonly log: SiteLog
  readonly signals: StopSignals
}

async function serveSite(command: ServeCommand, { backend, log, signals }: Serving): Promise<void> {
  const site = createSite(command, backend, log)
  announce(command, { address: await site.listen(command.port, command.host), backend, log })
  await signals.first
  log.info(stopping(site.active))
  await site.drain()
}

async function servePool(command: ServeCommand, { backend, log, signals }: Serving): Promise<void> {
  // A mistake in the options is told here, once.
  await createHandler(command, backend, log).close()
  const pool = new WorkerPool({ backend, log, count: command.workers, place: command })
  try {
    announce(command, { address: await pool.start(), backend, log })
    await signals.first
    log.info(stopping(null))
  } finally {
    await pool.stop()
  }
}

function createSite(command: ServeCommand, backend: BackendFacts, log: SiteLog): Site {
  const { frontController, config, root } = command
  const php = createHandler(command, backend, log)
  return new Site({
    php,
    log,
    backend: backend.label,
    root: config !== null && root === null ? null : rootOf(command),
    frontController,
  })
}

function announce(
  command: ServeCommand,
  { address, backend, log }: { readonly address: AddressInfo; readonly backend: BackendFacts; readonly log: SiteLog },
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
