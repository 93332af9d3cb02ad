import type { Connection } from '../client/connection.ts'

/** Milliseconds that a new connection may be without an answer before a kept one is given up for it, and between two such. */
const PATIENCE = 50

/**
 * Keeps a pool from starving itself. A process-per-connection backend such as php-fpm spends one child on each kept
 * connection, idle ones too (php-fpm.md 8); a new connection then waits in its backlog for a child that never comes. So for each
 * new connection that is still without its first byte after a moment, one kept connection is given up: an idle one at once,
 * else the next that would be kept.
 *
 * The patience is what keeps this from feeding itself: without it a burst of new connections that are all served at once
 * would be closed one for the other, and each closed one would be a new one soon.
 */
export class StarvationGuard {
  readonly #waiting = new Map<Connection, number>()
  readonly #giveUpIdle: (most: number) => number
  #timer: NodeJS.Timeout | null = null
  /** Children that are still to be freed. */
  #owed = 0

  /** `giveUpIdle` closes so many idle connections at most, and says how many it closed. */
  constructor(giveUpIdle: (most: number) => number) {
    this.#giveUpIdle = giveUpIdle
  }

  /** A new connection has no answer yet. */
  waits(connection: Connection): void {
    this.#waiting.set(connection, performance.now())
    this.#timer ??= setInterval(this.#look, PATIENCE).unref()
  }

  /** It has been served, or is gone. */
  served(connection: Connection): void {
    if (!this.#waiting.delete(connection) || this.#waiting.size > 0) return
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#owed = 0
  }

  /** Whether a connection that could be kept is to be closed; asked once for each, as the answer settles a debt. */
  claims(): boolean {
    if (this.#owed === 0) return false
    this.#owed -= 1
    return true
  }

  readonly #look = (): void => {
    const since = performance.now() - PATIENCE
    let starving = 0
    for (const began of this.#waiting.values()) if (began <= since) starving += 1
    this.#owed = starving - this.#giveUpIdle(starving)
  }
}
