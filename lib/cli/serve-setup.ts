import type { AddressInfo } from 'node:net'
import type { FastCgiOptions } from '../index.ts'

/** A site as the middleware takes it: plain data but for regular expressions, so that workers can get it from their primary. */
export interface SiteSetup {
  /** In the log, beside each request; null: a configuration file may have several servers. */
  readonly label: string | null
  /** Without a logger. */
  readonly options: FastCgiOptions
}

/** What runs the scripts, started if it is ours to start. */
export interface SiteBackend extends SiteSetup {
  /** For people: what was taken. */
  readonly description: string
  /** Has a running site take over what changes in it; null: nothing can change. */
  follow(site: RunningSite): Following | null
  stop(): Promise<void>
}

/** Changes are taken over until it is stopped. */
export interface Following {
  /** Takes over what there is now, changed or not. */
  reload(): void
  /** Resolves when nothing is being taken over. */
  stop(): Promise<void>
}

/** A site that serves, in this process or in workers. */
export interface RunningSite {
  readonly address: AddressInfo
  /** Requests under way; null: not known. */
  readonly active: number | null
  /**
   * Serves with another setup from the next request on. Resolves with a promise that resolves when no request uses the `retired`
   * addresses any more. @throws Error why it cannot: the old one serves on
   */
  reload(setup: SiteSetup, retired: readonly string[]): Promise<{ readonly left: Promise<void> }>
  /** Takes no new request, finishes those under way. */
  stop(): Promise<void>
}
