import type { Backend } from './backend.ts'

/** The servers of one location, in the order of the file. */
export class BackendGroup {
  readonly #backends: readonly [Backend, ...Backend[]]

  constructor(backends: readonly [Backend, ...Backend[]]) {
    this.#backends = backends
  }

  /** The server for an attempt, 0 the first: Monkey's order, each repetition on the next server. */
  choose(attempt: number): Backend {
    return this.#backends[attempt % this.#backends.length] ?? this.#backends[0]
  }

  /** Another attempt goes to another server. */
  get hasAlternative(): boolean {
    return this.#backends.length > 1
  }
}
