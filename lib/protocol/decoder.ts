import { FastCgiError } from '../errors.ts'
import { FCGI_DATA, FCGI_HEADER_LEN, FCGI_PARAMS, FCGI_STDERR, FCGI_STDIN, FCGI_STDOUT } from './constants.ts'
import { decodeHeader, type HeaderTarget } from './header.ts'

/** Takes what a {@link RecordDecoder} finds, in the order of the bytes. What it throws leaves {@link RecordDecoder.push}. */
export interface RecordHandler {
  /** Some bytes of a stream record (PARAMS, STDIN, STDOUT, STDERR, DATA): a view of the bytes pushed, never a copy, never empty. */
  onStreamContent(type: number, requestId: number, content: Buffer): void
  /** The empty record that ends a stream. */
  onStreamEnd(type: number, requestId: number): void
  /** Any other record, whole. */
  onRecord(type: number, requestId: number, content: Buffer): void
}

type State = 'header' | 'content' | 'padding' | 'broken'

const EMPTY = Buffer.alloc(0)

/** Whether records of the type are pieces of a stream (FastCGI 1.0 section 3.3). */
function isStream(type: number): boolean {
  return (
    type === FCGI_STDOUT || type === FCGI_STDERR || type === FCGI_STDIN || type === FCGI_PARAMS || type === FCGI_DATA
  )
}

/**
 * Takes bytes in pieces of any size and hands over records. Content of streams goes on at once, in the pieces in which it
 * came; every other record (all are small) is gathered first.
 */
export class RecordDecoder {
  readonly #handler: RecordHandler
  readonly #headerBytes: Buffer = Buffer.allocUnsafe(FCGI_HEADER_LEN)
  #headerLength = 0
  #state: State = 'header'
  readonly #header: HeaderTarget = { type: 0, requestId: 0, contentLength: 0, paddingLength: 0 }
  /** Bytes of content or padding that are still to come. */
  #missing = 0
  #gathered: Buffer[] = []

  constructor(handler: RecordHandler) {
    this.#handler = handler
  }

  /** True between two records: nothing of a next one has come. */
  get atBoundary(): boolean {
    return this.#state === 'header' && this.#headerLength === 0
  }

  /**
   * Decodes the next bytes. The handler may keep views of them, so the caller must not write into them again.
   * @throws FastCgiError ERR_FCGI_PROTOCOL on a version other than 1; nothing can be decoded after that
   */
  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      switch (this.#state) {
        case 'header':
          at = this.#takeHeader(bytes, at)
          break
        case 'content':
          at = this.#takeContent(bytes, at)
          break
        case 'padding':
          at = this.#takePadding(bytes, at)
          break
        case 'broken':
          throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail: 'Bytes came after a malformed record' })
      }
    }
  }

  #takeHeader(bytes: Buffer, at: number): number {
    if (this.#headerLength === 0 && bytes.length - at >= FCGI_HEADER_LEN) {
      this.#enterContent(bytes, at)
      return at + FCGI_HEADER_LEN
    }
    const taken = bytes.copy(this.#headerBytes, this.#headerLength, at)
    this.#headerLength += taken
    if (this.#headerLength === FCGI_HEADER_LEN) this.#enterContent(this.#headerBytes, 0)
    return at + taken
  }

  #enterContent(source: Buffer, at: number): void {
    const header = this.#header
    if (!decodeHeader(source, at, header)) {
      this.#state = 'broken'
      const found = source.toString('latin1', at, at + FCGI_HEADER_LEN)
      const detail = `A record must begin with version 1, found ${JSON.stringify(found)}: is it a FastCGI application?`
      throw new FastCgiError('ERR_FCGI_PROTOCOL', { detail })
    }
    this.#headerLength = 0
    this.#missing = header.contentLength
    this.#state = 'content'
    if (header.contentLength > 0) return
    this.#enterPadding()
    if (isStream(header.type)) this.#handler.onStreamEnd(header.type, header.requestId)
    else this.#handler.onRecord(header.type, header.requestId, EMPTY)
  }

  #takeContent(bytes: Buffer, at: number): number {
    const { type, requestId } = this.#header
    const end = Math.min(bytes.length, at + this.#missing)
    const content = bytes.subarray(at, end)
    this.#missing -= content.length
    const whole = this.#missing === 0
    if (whole) this.#enterPadding()
    if (isStream(type)) {
      this.#handler.onStreamContent(type, requestId, content)
      return end
    }
    this.#gathered.push(content)
    if (!whole) return end
    const gathered = this.#gathered
    this.#gathered = []
    this.#handler.onRecord(type, requestId, gathered.length === 1 ? content : Buffer.concat(gathered))
    return end
  }

  #enterPadding(): void {
    this.#missing = this.#header.paddingLength
    this.#state = this.#missing === 0 ? 'header' : 'padding'
  }

  #takePadding(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#missing)
    this.#missing -= end - at
    if (this.#missing === 0) this.#state = 'header'
    return end
  }
}
