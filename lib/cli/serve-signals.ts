/** What ends a server: Ctrl-C, a service manager. */
const STOPS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']

/**
 * Under `npm start` one Ctrl-C comes twice, from the terminal and from npm: so close together they are one; milliseconds.
 */
const ONE_PRESS = 300

/** Exit code of a process that a signal ended, as shells tell it: 128 and the signal's number. */
const INTERRUPTED = 130

/** Waits for the first signal to stop; the second one ends the process at once. SIGHUP reloads where something can be reloaded. */
export class ServeSignals {
  readonly first: Promise<void>
  readonly #onHangUp: () => void
  #firstAt: number | null = null
  #resolve: (() => void) | null = null
  #reload: (() => void) | null = null
  /** A SIGHUP came before anything could be reloaded. */
  #reloadDue = false

  /** `reloads`: SIGHUP is a service manager's wish for a reload, not the end of a terminal. */
  constructor({ reloads }: { readonly reloads: boolean }) {
    this.first = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#onHangUp = reloads ? () => this.#askForReload() : this.#onStop
    for (const signal of STOPS) process.on(signal, this.#onStop)
    process.on('SIGHUP', this.#onHangUp)
  }

  /** From now on this is called at SIGHUP, at once if one has come already. */
  onReload(reload: () => void): void {
    this.#reload = reload
    if (this.#reloadDue) reload()
  }

  forget(): void {
    for (const signal of STOPS) process.removeListener(signal, this.#onStop)
    process.removeListener('SIGHUP', this.#onHangUp)
  }

  #askForReload(): void {
    this.#reloadDue = this.#reload === null
    this.#reload?.()
  }

  readonly #onStop = (): void => {
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
