import type { AnswerReceiver } from '../../lib/client/request.ts'
import type { FastCgiError } from '../../lib/errors.ts'
import type { EndRequestBody } from '../../lib/protocol/bodies.ts'

/** What a test does at a turning point; what it throws is the receiver's own failure. */
export interface AnswerHooks {
  readonly onStdout?: (content: Buffer) => void
  readonly onFlush?: () => void
  readonly onEnd?: () => void
}

/** Takes an answer and keeps the order of what came; as a sink it is reusable unless told otherwise. */
export class RecordedAnswer implements AnswerReceiver {
  /** `stdout`, `stderr`, `flush`, `end` or `fail` for each call. */
  readonly calls: string[] = []
  /** Resolves with the error, or with null when the answer is whole. */
  readonly over: Promise<FastCgiError | null>
  body: EndRequestBody | null = null
  error: FastCgiError | null = null
  bytes = 0
  reusable = true
  #text = ''
  #stderr = ''
  #settle: (error: FastCgiError | null) => void = () => undefined
  readonly #hooks: AnswerHooks

  constructor(hooks: AnswerHooks = {}) {
    this.#hooks = hooks
    this.over = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  /** STDOUT as latin1. */
  get text(): string {
    return this.#text
  }

  get stderrText(): string {
    return this.#stderr
  }

  stdout(content: Buffer): void {
    this.calls.push('stdout')
    this.bytes += content.length
    this.#text += content.toString('latin1')
    this.#hooks.onStdout?.(content)
  }

  stderr(content: Buffer): void {
    this.calls.push('stderr')
    this.#stderr += content.toString('latin1')
  }

  flush(): void {
    this.calls.push('flush')
    this.#hooks.onFlush?.()
  }

  end(body: EndRequestBody): void {
    this.calls.push('end')
    this.body = body
    this.#hooks.onEnd?.()
    this.#settle(null)
  }

  fail(error: FastCgiError): void {
    this.calls.push('fail')
    this.error = error
    this.#settle(error)
  }
}
