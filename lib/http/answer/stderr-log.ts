import { describeRequest, escapeLog, type Log, type LoggedRequest } from '../log.ts'

/** Most bytes of FCGI_STDERR that one request gets into the log. */
const LIMIT = 64 * 1024

/** php-fpm says no more than this when SCRIPT_FILENAME is no file on its own disks (php-fpm.md 12). */
const UNKNOWN_SCRIPT = 'Primary script unknown'

/** What a script writes to FCGI_STDERR, as lines of the log, beside the request that caused them. */
export class StderrLog {
  readonly #log: Log | null
  readonly #request: LoggedRequest
  /** SCRIPT_FILENAME. */
  readonly #script: string
  #rest = ''
  #length = 0

  constructor(log: Log | null, request: LoggedRequest & { readonly script: string }) {
    this.#log = log
    this.#request = request
    this.#script = request.script
  }

  write(content: Buffer): void {
    if (this.#log === null || this.#length > LIMIT) return
    const room = LIMIT - this.#length
    this.#length += content.length
    const lines = (this.#rest + content.toString('utf8', 0, Math.min(content.length, room))).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#writeLine(line)
    if (content.length <= room) return
    this.#writeLine(this.#rest)
    this.#rest = ''
    this.#writeLine(`(more than ${LIMIT} bytes, the rest is not logged)`)
  }

  /** The request is over: what came without a line feed is a line too. */
  end(): void {
    this.#writeLine(this.#rest)
    this.#rest = ''
  }

  #writeLine(line: string): void {
    const text = line.trimEnd()
    if (text === '') return
    const hint = text.includes(UNKNOWN_SCRIPT) ? this.#explainUnknownScript() : ''
    this.#log?.error(
      `${describeRequest(this.#request)} (${escapeLog(this.#script)}): stderr: ${escapeLog(text)}${hint}`,
    )
  }

  #explainUnknownScript(): string {
    return (
      `: SCRIPT_FILENAME was ${escapeLog(this.#script)}, which the backend does not find or may not read. If it has other disks ` +
      '(a container), set root (DocumentRoot) to its path there and checkLocal to false (CheckLocal Off)'
    )
  }
}
