import { Readable } from 'node:stream'

/** A request as a FastCGI application sees it. */
export class ResponderRequest {
  /** The parameters as byte strings (latin1); of equal names the last one counts. */
  readonly params: ReadonlyMap<string, string>
  /** The body. It need not be read; it is destroyed, without an error, when the request is aborted. */
  readonly stdin: Readable
  #aborted = false
  #controller: AbortController | null = null

  /** `stdinWanted` is called when STDIN has room. */
  constructor(params: ReadonlyMap<string, string>, stdinWanted: () => void) {
    this.params = params
    this.stdin = new Readable({ read: stdinWanted })
  }

  /** Whether the web server gave the request up, or was lost, before it was answered. */
  get aborted(): boolean {
    return this.#aborted
  }

  /** Aborted when {@link ResponderRequest.aborted} becomes true. */
  get signal(): AbortSignal {
    // Made on demand: few handlers look at it, and it is not cheap.
    this.#controller ??= new AbortController()
    if (this.#aborted) this.#controller.abort()
    return this.#controller.signal
  }

  /** Gives the request up, as ABORT_REQUEST does. */
  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#controller?.abort()
    this.stdin.destroy()
  }
}
