import { FastCgiError } from '../errors.ts'
import { decodePairs } from '../protocol/name-value.ts'
import { ResponderRequest } from './request.ts'
import { ResponderResponse, type ResponseSink } from './response.ts'

/** Most bytes of PARAMS that a request may have; no web server sends nearly as many. */
const MAX_PARAMS_LENGTH = 1024 * 1024

/** A FastCGI application: called when the parameters of a request are complete. */
export type ResponderListener = (req: ResponderRequest, res: ResponderResponse) => void | Promise<void>

/** What an exchange asks of its connection. */
export interface ExchangeOwner extends ResponseSink {
  /** STDIN holds enough for now. */
  holdBack(): void
  /** STDIN has room again. */
  letGo(): void
  /** The application failed; its request was ended. */
  failed(error: unknown): void
}

type State = 'params' | 'stdin' | 'received'

/** One request on a connection and its response, from BEGIN_REQUEST to END_REQUEST. */
export class Exchange {
  readonly #owner: ExchangeOwner
  #state: State = 'params'
  #params: Buffer[] = []
  #paramsLength = 0
  #req: ResponderRequest | null = null
  #res: ResponderResponse | null = null
  /** END_REQUEST was sent: what still comes is counted, not used. */
  #over = false

  constructor(owner: ExchangeOwner) {
    this.#owner = owner
  }

  /** Whether the whole request has come. */
  get received(): boolean {
    return this.#state === 'received'
  }

  /** Takes content of PARAMS. Throws ERR_FCGI_PROTOCOL after its end and beyond the limit. */
  addParams(content: Buffer): void {
    if (this.#over) return
    if (this.#state !== 'params') throw malformed('PARAMS came after their end')
    this.#paramsLength += content.length
    if (this.#paramsLength > MAX_PARAMS_LENGTH) throw malformed(`PARAMS have more than ${MAX_PARAMS_LENGTH} bytes`)
    this.#params.push(content)
  }

  /** The parameters are complete: calls the application. */
  endParams(listener: ResponderListener): void {
    if (this.#over) return
    if (this.#state !== 'params') throw malformed('PARAMS ended twice')
    this.#state = 'stdin'
    const params = new Map(decodePairs(Buffer.concat(this.#params)))
    this.#params = []
    const req = new ResponderRequest(params, () => this.#owner.letGo())
    const res = new ResponderResponse(this.#owner)
    res.on('error', (error) => this.#owner.failed(error))
    this.#req = req
    this.#res = res
    void this.#call(listener, req, res)
  }

  /** Takes content of STDIN. Throws ERR_FCGI_PROTOCOL before the end of PARAMS and after its own. */
  addStdin(content: Buffer): void {
    if (this.#over) return
    if (this.#state !== 'stdin') throw malformed('STDIN came before the end of PARAMS or after its own')
    const stdin = this.#req?.stdin
    if (stdin !== undefined && !stdin.destroyed && !stdin.push(content)) this.#owner.holdBack()
  }

  /** The body is complete. */
  endStdin(): void {
    if (this.#state !== 'stdin' && !this.#over) throw malformed('STDIN ended before PARAMS or twice')
    this.#state = 'received'
    this.#req?.stdin.push(null)
  }

  /** The web server gave the request up. */
  abort(): void {
    if (this.#over) return
    // Told the application first: a response that is destroyed with its request still running would look like its own fault.
    this.#req?.abort()
    if (this.#res === null) this.#owner.endRequest({ appStatus: 0, stderrUsed: false })
    else this.#res.destroy()
  }

  /** END_REQUEST was sent: what is left of the body is not for the application any more. */
  close(): void {
    this.#over = true
    if (!this.received) this.#req?.stdin.destroy()
  }

  /** The connection is gone. */
  lose(): void {
    if (this.#over) return
    this.#req?.abort()
    this.#res?.abandon()
  }

  async #call(listener: ResponderListener, req: ResponderRequest, res: ResponderResponse): Promise<void> {
    try {
      await listener(req, res)
    } catch (error) {
      if (req.aborted) return
      res.fail(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      this.#owner.failed(error)
    }
  }
}

function malformed(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_PROTOCOL', { detail })
}
