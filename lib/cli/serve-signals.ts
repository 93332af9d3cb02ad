/** What ends a server: Ctrl-C, a service manager, a closed terminal. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Under `npm start` one Ctrl-C comes twice, from the terminal and from npm: so close together they are one; milliseconds.
 */
const ONE_PRESS = 300

/** Exit code of a process that a signal ended, as shells tell it: 128 and the signal's number. */
const INTERRUPTED = 130

/** Waits for the first signal to stop; the second one ends the process at once. */
export class StopSignals {
  readonly first: Promise<void>
  #firstAt: number | null = null
  #resolve: (() => void) | null = null

  constructor() {
    this.first = new Promise((resolve) => {
      this.#resolve = resolve
    })
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  forget(): void {
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal)
  }

  readonly #onSignal = (): void => {
    const now = performance.now()
    this.#firstAt ??= now
    if (now - this.#firstAt > ONE_PRESS) process.exit(INTERRUPTED)
    this.#resolve?.()
  }
}

/** A worker of a cluster: a terminal's Ctrl-C reaches it too, but whether to stop is the primary's to say. */
export function ignoreTerminal(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
}
