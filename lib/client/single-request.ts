import { Readable, type Writable } from 'node:stream'
import { FastCgiError } from '../errors.ts'
import { parseAddress } from './address.ts'
import { Connection, type ConnectionObserver } from './connection.ts'
import { Deadline } from './deadline.ts'
import { encodeClientRequest, type RequestStdin } from './encoded-request.ts'
import type { AnswerReceiver } from './request.ts'

/** What {@link request} sends, and where its answer goes. */
export interface SingleRequest {
  /** The CGI meta-variables, sent as UTF-8. CONTENT_LENGTH is always that of `body` (php-fpm.md 3). */
  readonly params: Readonly<Record<string, string>>
  /** FCGI_STDIN. Default none. */
  readonly body?: Buffer | undefined
  /** Milliseconds for everything, 0 for ever. Default one minute. */
  readonly timeout?: number | undefined
  /** Takes FCGI_STDOUT as the script sent it, a malformed answer too; is not ended. */
  readonly stdout: Writable
  /** Takes FCGI_STDERR; is not ended. */
  readonly stderr: Writable
}

const DEFAULT_TIMEOUT = 60_000

/** Milliseconds until the backend has accepted, where the timeout is not shorter. */
const CONNECT_TIMEOUT = 5000

/** No pool counts the connection. */
const UNOBSERVED: ConnectionObserver = {
  connectionWaits: () => undefined,
  connectionAnswers: () => undefined,
  connectionClosed: () => undefined,
}

/**
 * One FastCGI request outside any HTTP: on a connection of its own, in the Responder role.
 * @returns the exit status of the script
 * @throws FastCgiError when the backend does not answer it whole; OptionError when the address is none
 */
export async function request(address: string, options: SingleRequest): Promise<number> {
  const { timeout = DEFAULT_TIMEOUT } = options
  const connection = new Connection(parseAddress(address), UNOBSERVED)
  const encoded = encodeClientRequest({
    params: byteParams(options),
    stdin: options.body === undefined ? null : stdinOf(options.body),
    keepConnection: false,
  })
  const connectTimeout = timeout > 0 ? Math.min(timeout, CONNECT_TIMEOUT) : CONNECT_TIMEOUT
  const deadline = new Deadline()
  try {
    return await new Promise((resolve, reject) => {
      const receiver = new StreamReceiver(options, { answered: resolve, failed: reject })
      receiver.from(connection.send(encoded, { connectTimeout, sendTimeout: 0, readTimeout: 0 }, receiver))
      deadline.arm(timeout, () => {
        connection.abort()
        reject(outOfTime(timeout))
      })
    })
  } finally {
    deadline.clear()
    connection.close('not kept')
  }
}

function byteParams({ params, body }: SingleRequest): ReadonlyMap<string, string> {
  const bytes = new Map(Object.entries(params).map(([name, value]) => [byteString(name), byteString(value)]))
  bytes.delete('CONTENT_LENGTH')
  if (body !== undefined) bytes.set('CONTENT_LENGTH', String(body.length))
  return bytes
}

/** One character a byte, as the encoder writes them. */
function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function stdinOf(content: Buffer): RequestStdin {
  return { length: content.length, content, open: () => Readable.from([content]) }
}

function outOfTime(timeout: number): FastCgiError {
  const detail = `The script was not done after ${timeout} ms (timeout)`
  return new FastCgiError('ERR_FCGI_TIMEOUT', { detail })
}

interface Outcome {
  answered(appStatus: number): void
  failed(error: FastCgiError): void
}

/** Writes an answer to streams, no faster than they take it. */
class StreamReceiver implements AnswerReceiver {
  readonly #streams: Pick<SingleRequest, 'stdout' | 'stderr'>
  readonly #outcome: Outcome
  #source: { pause(): void; resume(): void } | null = null
  /** Streams that have to drain. */
  #full = 0

  constructor(streams: Pick<SingleRequest, 'stdout' | 'stderr'>, outcome: Outcome) {
    this.#streams = streams
    this.#outcome = outcome
  }

  from(source: { pause(): void; resume(): void }): void {
    this.#source = source
  }

  stdout(content: Buffer): void {
    this.#write(this.#streams.stdout, content)
  }

  stderr(content: Buffer): void {
    this.#write(this.#streams.stderr, content)
  }

  flush(): void {
    // nothing is held back
  }

  /** The number is unsigned on the wire; an exit status of -1 shall read so. */
  end({ appStatus }: { readonly appStatus: number }): void {
    this.#outcome.answered(appStatus | 0)
  }

  fail(error: FastCgiError): void {
    this.#outcome.failed(error)
  }

  #write(stream: Writable, content: Buffer): void {
    if (stream.write(content)) return
    this.#full += 1
    this.#source?.pause()
    stream.once('drain', () => {
      this.#full -= 1
      if (this.#full === 0) this.#source?.resume()
    })
  }
}
