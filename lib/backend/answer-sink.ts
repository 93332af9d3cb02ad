import type { EndRequestBody } from '../protocol/bodies.ts'

/** Takes the answer of whichever attempt gets one. What a method throws fails the exchange with it. */
export interface AnswerSink {
  stdout(content: Buffer): void
  stderr(content: Buffer): void
  flush(): void
  end(body: EndRequestBody): void
  /** The answer was well-formed: the connection may be trusted with another request. */
  readonly reusable: boolean
}
