import { claimsChunked, isChunkCoded } from '../../cgi/chunked-coding.ts'
import { ContentMeter } from '../../cgi/content-meter.ts'
import { badHead } from '../../cgi/response-fields.ts'
import { type ResponseHead, ResponseHeadParser } from '../../cgi/response-head.ts'
import { contentLength, fieldValue, hintedLinks, mayHaveContent, responseKind } from '../../cgi/response-kind.ts'
import { FastCgiError } from '../../errors.ts'
import { type AnswerSource, BackPressure } from './back-pressure.ts'
import { type ClientResponse, isOver } from './client-response.ts'
import { endToEndFields, type FieldRules } from './hop-by-hop.ts'
import { interceptedError } from './intercepted.ts'
import { refuseLongHead } from './long-head.ts'
import { sendHints, writeHead } from './response-head.ts'
import { ResponseSlices } from './response-slices.ts'

/** The part of a location's options that an answer obeys. */
export interface ResponseRules extends FieldRules {
  /** A status of 400 or more is an ERR_FCGI_INTERCEPTED instead of an answer. */
  readonly interceptErrors: boolean
  readonly localRedirects: boolean
  /** Bytes read ahead of a slow client before the backend is held back. */
  readonly responseBuffer: number
  /** Milliseconds for which the backend is held back for a client that takes nothing; 0: for ever. */
  readonly clientTimeout: number
}

/** What a {@link ResponseWriter} needs. */
export interface ResponseWriterOptions {
  readonly method: string
  readonly res: ClientResponse
  readonly rules: ResponseRules
  readonly source: AnswerSource
  /** Called with what was mended in the answer. */
  readonly warn: (message: string) => void
}

/** A head that was accepted, with what follows from it. */
interface Answer {
  readonly head: ResponseHead
  readonly meter: ContentMeter
  /** False: what the script sends as body is dropped. */
  readonly hasContent: boolean
}

/**
 * `head`: waits for the end of the head. `held`: has the head, nothing was sent. `open`: the head was sent. `draining`: what still
 * comes is only counted. `ended`: END_REQUEST came.
 */
type State = 'head' | 'held' | 'open' | 'draining' | 'ended'

const NOTHING: Buffer = Buffer.alloc(0)

/**
 * Writes one CGI answer to one HTTP response. An answer that is whole before the first {@link ResponseWriter.flush} leaves in one
 * piece with its length. What is refused is refused before Node was told anything of the head, as far as it is known then.
 */
export class ResponseWriter {
  readonly #options: ResponseWriterOptions
  readonly #parser = new ResponseHeadParser()
  readonly #slices = new ResponseSlices()
  #state: State = 'head'
  #answer: Answer | null = null
  /** The script claims the chunked coding, and too little of the body came to see whether that is true. */
  #perhapsChunked = false
  #begun = false
  #localRedirect: string | null = null
  #unwanted = false
  #pressure: BackPressure | null = null

  constructor(options: ResponseWriterOptions) {
    this.#options = options
  }

  /** The head was sent: a failure can only destroy. */
  get begun(): boolean {
    return this.#begun
  }

  /** The answer is over, was well-formed and as long as announced: the connection it came on may be kept. */
  get reusable(): boolean {
    if (this.#state !== 'ended' || this.#answer === null) return false
    const { hasContent, meter } = this.#answer
    return !hasContent || !(meter.isShort || meter.isLong)
  }

  /** Somebody else has answered, or the client is gone: what still comes reaches nobody. */
  get isUnwanted(): boolean {
    return this.#unwanted
  }

  /** The path and query of a local redirect, if the rules have them served by another request: then nothing is written. */
  get localRedirect(): string | null {
    return this.#localRedirect
  }

  /** Takes a piece of STDOUT. Throws {@link FastCgiError}; then what still comes is drained. */
  write(content: Buffer): void {
    if (this.#answer !== null) {
      this.#take(this.#answer, content)
      return
    }
    if (this.#state !== 'head') return
    try {
      this.#readHead(content)
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** Sends all that came so far. */
  flush(): void {
    const answer = this.#answer
    // Without content the head waits for END_REQUEST: until then a failure can still be told.
    if (answer === null || !answer.hasContent || this.#perhapsChunked) return
    if (this.#state === 'held') this.#open(answer)
    else if (this.#state === 'open' && this.#slices.length > 0) this.#send()
  }

  /** END_REQUEST came. Throws {@link FastCgiError} if the answer is not whole. */
  end(): void {
    const state = this.#state
    this.#state = 'ended'
    this.#pressure?.release()
    if (state === 'head') throw this.#parser.unfinished()
    if (state === 'held' || state === 'open') this.#finish(state)
  }

  /** From now on everything is drained and nothing is written: nobody takes the answer any more. */
  discard(): void {
    if (this.#state !== 'ended') this.#state = 'draining'
    this.#perhapsChunked = false
    this.#slices.clear()
    this.#pressure?.release()
  }

  /** Reads heads until one is not interim. */
  #readHead(content: Buffer): void {
    let found = this.#parser.push(content)
    while (found !== null && responseKind(found.head) === 'early-hints') {
      const { res, warn } = this.#options
      const refused = sendHints(res, hintedLinks(found.head.fields))
      if (refused !== null) warn(`the script's early hints were not sent: ${refused}`)
      found = this.#parser.push(found.rest)
    }
    if (found !== null) this.#accept(found.head, found.rest)
  }

  /** What the head means decides what becomes of the answer. */
  #accept(head: ResponseHead, rest: Buffer): void {
    const { method, rules, warn } = this.#options
    const meter = new ContentMeter(contentLength(head.fields))
    const answer = { head, meter, hasContent: mayHaveContent(method, head.status) }
    this.#answer = answer
    for (const warning of head.warnings) warn(warning)
    const redirected = rules.localRedirects && responseKind(head) === 'local-redirect'
    const intercepted = rules.interceptErrors && head.status >= 400
    this.#state = redirected || intercepted ? 'draining' : 'held'
    this.#perhapsChunked = answer.hasContent && claimsChunked(head.fields)
    if (redirected) this.#localRedirect = fieldValue(head.fields, 'location') ?? null
    this.#take(answer, rest)
    if (intercepted) throw interceptedError(head)
  }

  #take({ meter, hasContent }: Answer, content: Buffer): void {
    const wasLong = meter.isLong
    const kept = meter.take(content)
    if (!hasContent || (this.#state !== 'held' && this.#state !== 'open')) return
    this.#slices.push(kept)
    if (meter.isLong && !wasLong) {
      this.#options.warn(`the script sent more than its Content-Length of ${meter.announced}; the rest was dropped`)
    }
    if (this.#perhapsChunked) this.#refuseChunked()
  }

  /** A Transfer-Encoding is not for scripts (RFC 3875 section 6.3.4): dropped where it is untrue, refused where it is true. */
  #refuseChunked(): void {
    const coded = isChunkCoded(this.#slices.join())
    this.#perhapsChunked = coded === undefined
    if (coded !== true) return
    this.discard()
    this.#answer = null
    throw badHead('it says Transfer-Encoding: chunked and the body is coded so; a script must send its body as it is')
  }

  /** The answer is not whole yet: its head goes out, and what there is of the body. */
  #open(answer: Answer): void {
    const { res, rules, source } = this.#options
    if (!this.#writeHead(answer, answer.meter.announced)) return
    this.#state = 'open'
    const unbuffered = fieldValue(answer.head.fields, 'x-accel-buffering')?.toLowerCase() === 'no'
    const { responseBuffer, clientTimeout } = rules
    this.#pressure = new BackPressure(res, source, { limit: unbuffered ? 0 : responseBuffer, clientTimeout })
    if (this.#slices.length > 0) this.#send()
    // Not flushHeaders(), which writes the bytes of header values as UTF-8.
    else res.write(NOTHING)
  }

  #send(): void {
    const { res } = this.#options
    if (isOver(res)) {
      this.#unwanted = true
      this.discard()
      return
    }
    const { length } = this.#slices
    this.#pressure?.wrote(length, this.#slices.writeTo(res))
    // Middleware that compresses holds bytes back until it is told that a reader waits for them.
    res.flush?.()
  }

  #finish(state: 'held' | 'open'): void {
    const answer = this.#answer
    if (answer === null) return
    const { meter, hasContent } = answer
    if (hasContent && meter.isShort) {
      throw new FastCgiError('ERR_FCGI_TRUNCATED', {
        detail: `The script announced a Content-Length of ${meter.announced} and sent ${meter.received} bytes`,
      })
    }
    if (state === 'held') {
      if (!this.#writeHead(answer, wholeLength(answer, this.#slices.length))) return
    } else if (isOver(this.#options.res)) return this.#slices.clear()
    this.#slices.endTo(this.#options.res)
  }

  /** False where nobody takes the head any more. */
  #writeHead({ head }: Answer, length: number | null): boolean {
    const { res, rules, warn } = this.#options
    if (isOver(res) || res.headersSent) {
      if (res.headersSent) warn('the answer was dropped: another middleware has answered the request already')
      this.#unwanted = true
      this.discard()
      return false
    }
    const fields = endToEndFields(head.fields, rules)
    refuseLongHead(res, fields)
    writeHead(res, { status: head.status, reason: head.reason, fields, repeats: head.repeats, length })
    this.#begun = true
    return true
  }
}

/** What Content-Length says of an answer that is whole. */
function wholeLength({ head, meter, hasContent }: Answer, length: number): number | null {
  if (hasContent) return length
  // RFC 9110 section 8.6: never with 204; with 205 nothing may follow; to HEAD and with 304 that of the answer to GET.
  if (head.status === 204) return null
  return head.status === 205 ? 0 : meter.announced
}
