import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { WriteStream } from 'node:tty'
import type { Logger } from '../index.ts'

/** A line of text goes here. */
export interface LogOutput {
  readonly isTTY?: boolean
  hasColors?: WriteStream['hasColors']
  write(text: string): unknown
}

/** What is told of a request that is over. */
export interface ServedRequest {
  readonly req: IncomingMessage
  readonly status: number
  /** Milliseconds. */
  readonly duration: number
  /** Who answered. */
  readonly backend: string
  /** The client left before the end, or the answer broke off. */
  readonly broken: boolean
}

type Colour = keyof typeof COLOURS

/** ECMA-48, select graphic rendition. */
const COLOURS = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2 } as const

/** What could break a line or move a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g

const LONGEST_PATH = 300

/** A line of the middleware's log that comes from FCGI_STDERR. */
const STDERR_LINE = /^(?<request>\S+ \S+) \(.*?\): stderr: (?<text>.*)$/s

/** How PHP calls what ends a script. */
const FATAL = /\b(?:Fatal|Parse|Recoverable) error\b/i

/** Lines kept of one request's STDERR, for its error page. */
const MOST_LINES = 20

/**
 * The log of `serve`: a line for each request on one output, what PHP writes to STDERR on the other, beside the request that
 * caused it. Colours only where a terminal takes them (NO_COLOR is honoured by Node's `hasColors`).
 */
export class SiteLog implements Logger {
  readonly #out: LogOutput
  readonly #err: LogOutput
  /** STDERR of the requests under way, by method and target. */
  readonly #lines = new Map<string, string[]>()
  #silent = false

  constructor(out: LogOutput, err: LogOutput) {
    this.#out = out
    this.#err = err
  }

  info(message: string): void {
    if (!this.#silent) this.#out.write(`${message}\n`)
  }

  /** Does what another process does, too, and tells the news and warnings of. */
  silently<T>(act: () => T): T {
    this.#silent = true
    try {
      return act()
    } finally {
      this.#silent = false
    }
  }

  warn(message: string): void {
    if (!this.#silent) this.#err.write(`${paint(this.#err, 'yellow', message)}\n`)
  }

  error(message: string): void {
    const { request, text } = STDERR_LINE.exec(message)?.groups ?? {}
    if (request === undefined || text === undefined) {
      this.#err.write(`${paint(this.#err, 'red', message)}\n`)
      return
    }
    for (const line of messagesOf(text)) this.#noteStderr(request, line)
  }

  #noteStderr(request: string, line: string): void {
    const lines = this.#lines.get(request)
    if (lines !== undefined && lines.length < MOST_LINES) lines.push(line)
    this.#err.write(`${request} ${paint(this.#err, FATAL.test(line) ? 'red' : 'yellow', line)}\n`)
  }

  /** From now on what this request's script writes to STDERR is kept. */
  begin(req: IncomingMessage): void {
    if (!this.#lines.has(requestName(req))) this.#lines.set(requestName(req), [])
  }

  stderrOf(req: IncomingMessage): readonly string[] {
    return this.#lines.get(requestName(req)) ?? []
  }

  end(served: ServedRequest): void {
    this.#lines.delete(requestName(served.req))
    this.#out.write(`${formatRequest(served, (colour, text) => paint(this.#out, colour, text))}\n`)
  }
}

/** php-fpm says which text is PHP's, and puts several into one line. */
function messagesOf(text: string): readonly string[] {
  return text.replace(/^PHP message: /, '').split('; PHP message: ')
}

function formatRequest(served: ServedRequest, colour: (colour: Colour, text: string) => string): string {
  const { req, status, duration, backend, broken } = served
  const time = `${duration < 10 ? duration.toFixed(1) : Math.round(duration)} ms`
  const outcome = colour(statusColour(status), String(status))
  const end = broken ? ` ${colour('yellow', '(broken off)')}` : ''
  return `${requestName(req)} ${outcome} ${time} ${colour('dim', backend)}${end}`
}

function statusColour(status: number): Colour {
  if (status >= 500 || STATUS_CODES[status] === undefined) return 'red'
  if (status >= 400) return 'yellow'
  return status >= 300 ? 'cyan' : 'green'
}

function requestName({ method = '', url = '' }: IncomingMessage): string {
  const path = url.length > LONGEST_PATH ? `${url.slice(0, LONGEST_PATH)}…` : url
  return `${method} ${path}`.replace(UNPRINTABLE, '?')
}

function paint(output: LogOutput, colour: Colour, text: string): string {
  if (output.isTTY !== true || output.hasColors?.(16) !== true) return text
  return `\x1b[${COLOURS[colour]}m${text}\x1b[0m`
}
