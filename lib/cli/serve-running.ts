import { type FastCgiOptions, fastcgi, type Logger } from '../index.ts'
import type { ServeCommand } from './serve-command.ts'
import type { SiteLog } from './serve-log.ts'
import type { RunningSite, SiteSetup } from './serve-setup.ts'
import type { Site } from './serve-site.ts'
import { WorkerPool } from './serve-workers.ts'

/** What a site is started with. */
export interface SiteParts {
  readonly setup: SiteSetup
  readonly log: SiteLog
  readonly createSite: (setup: SiteSetup) => Site
}

/** Resolves when it listens. @throws OptionError, Error that says why it cannot */
export async function startSite(command: ServeCommand, parts: SiteParts): Promise<RunningSite> {
  return command.workers > 1 ? await startPool(command, parts) : await startHere(command, parts)
}

/** A mistake in the options is told here, once, before any worker hears of them. @throws OptionError */
export async function checkOptions(options: FastCgiOptions, logger: Logger | false): Promise<void> {
  await fastcgi({ ...options, logger }).close()
}

async function startHere({ port, host }: ServeCommand, { setup, createSite }: SiteParts): Promise<RunningSite> {
  const site = createSite(setup)
  const address = await site.listen(port, host)
  return {
    address,
    get active() {
      return site.active
    },
    async reload({ options }) {
      site.reload(options, { tells: true })
      return { left: Promise.resolve() }
    },
    stop: () => site.drain(),
  }
}

async function startPool(command: ServeCommand, { setup, log }: SiteParts): Promise<RunningSite> {
  await checkOptions(setup.options, log)
  const pool = new WorkerPool({ setup, log, count: command.workers, place: command })
  try {
    const address = await pool.start()
    return {
      address,
      active: null,
      reload: (other, retired) => pool.reload(other, retired),
      stop: () => pool.stop(),
    }
  } catch (error) {
    await pool.stop()
    throw error
  }
}
