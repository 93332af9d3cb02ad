import { Readable } from 'node:stream'

/**
 * A request as a FastCGI application sees it: a Readable of the body, which need not be read. When the request is aborted it is
 * destroyed, so that who is reading it fails.
 */
export class ResponderRequest extends Readable {
  /** The parameters as byte strings (latin1); of equal names the last one counts. */
  readonly params: ReadonlyMap<string, string>
  readonly #stdinWanted: () => void
  #headers: Readonly<Record<string, string>> | null = null
  #aborted = false
  #controller: AbortController | null = null

  /** `stdinWanted` is called when STDIN has room. */
  constructor(params: ReadonlyMap<string, string>, stdinWanted: () => void) {
    super()
    this.params = params
    this.#stdinWanted = stdinWanted
  }

  /** REQUEST_METHOD; `GET` where the web server does not say. */
  get method(): string {
    return this.params.get('REQUEST_METHOD') || 'GET'
  }

  /** Path and query: REQUEST_URI, or where the web server does not send it, put together from SCRIPT_NAME and what follows. */
  get url(): string {
    const { params } = this
    const uri = params.get('REQUEST_URI')
    if (uri !== undefined && uri !== '') return uri
    const query = params.get('QUERY_STRING') ?? ''
    const path = `${params.get('SCRIPT_NAME') ?? ''}${params.get('PATH_INFO') ?? ''}`
    return `${path || '/'}${query === '' ? '' : `?${query}`}`
  }

  /**
   * The fields of the HTTP request by their names in lower case, as far as the web server passes them on (RFC 3875 section
   * 4.1.18): HTTP_*, CONTENT_TYPE and CONTENT_LENGTH. Byte strings.
   */
  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= readHeaders(this.params)
    return this.#headers
  }

  /** FCGI_STDIN, which is the request itself. */
  get stdin(): this {
    return this
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
    this.destroy()
  }

  override _read(): void {
    this.#stdinWanted()
  }
}

function readHeaders(params: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  // Without a prototype: a client chooses the names.
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of params) {
    if (name.startsWith('HTTP_')) headers[fieldName(name.slice('HTTP_'.length))] = value
  }
  // An empty one stands for none (RFC 3875 section 4.1.2).
  for (const name of ['CONTENT_TYPE', 'CONTENT_LENGTH']) {
    const value = params.get(name)
    if (value) headers[fieldName(name)] = value
  }
  return headers
}

function fieldName(variable: string): string {
  return variable.toLowerCase().replaceAll('_', '-')
}
