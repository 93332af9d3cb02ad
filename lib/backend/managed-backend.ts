/** A backend that is started by us, with its first request. */
export interface ManagedBackend {
  /** Valid while it runs. */
  readonly address: string
  readonly running: boolean
  /** @throws FastCgiError why it does not run */
  start(): Promise<void>
  /** A request got its answer. */
  noteAnswer(): void
  stop(): Promise<void>
}

/** Resolves when it runs. @throws FastCgiError why it does not, or the signal's reason if that is quicker */
export function startUnlessAborted(managed: ManagedBackend, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    managed
      .start()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
    if (signal.aborted) abort()
  })
}
