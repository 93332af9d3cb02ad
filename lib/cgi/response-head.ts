import { FastCgiError } from '../errors.ts'
import { quoted } from './quotation.ts'
import type { HeaderField } from './response-fields.ts'
import { addField, badHead, parseField, refuseControls } from './response-fields.ts'
import type { ResponseStatus } from './response-status.ts'
import { parseStatus, parseStatusLine } from './response-status.ts'

/** The head of a CGI response (RFC 3875 section 6.3). */
export interface ResponseHead {
  /** As given; else 302 with a Location, 200 without. */
  readonly status: number
  readonly reason: string | undefined
  /** The script said the status itself. */
  readonly statusGiven: boolean
  /** All but Status, in the script's order. */
  readonly fields: readonly HeaderField[]
  /** A name stands among them more than once. */
  readonly repeats: boolean
  /** What was mended, for the log. */
  readonly warnings: readonly string[]
}

/** A head that has ended, and the bytes behind it. */
export interface ParsedHead {
  readonly head: ResponseHead
  readonly rest: Buffer
}

/** Bytes of all heads of an answer, interim ones included. */
const LONGEST_HEAD = 64 * 1024

/** Lines of a head. */
const MOST_LINES = 1000

const LF = 0x0a
const CR = 0x0d

/**
 * Finds and reads the head of a CGI response in bytes as they come (RFC 3875 section 6). Lines end in CRLF or LF. After an interim
 * head (103) the same parser goes on with the next. Throws {@link FastCgiError} for what is no head; is of no use after that.
 */
export class ResponseHeadParser {
  /** What came of a head that has not ended, with room behind it once it came in several pieces. */
  #held: Buffer | null = null
  #heldLength = 0
  /** Bytes of the heads before this one. */
  #earlier = 0

  /** Takes bytes: null until the head has ended. */
  push(content: Buffer): ParsedHead | null {
    const before = this.#heldLength
    const bytes = this.#join(content)
    if (startsBlank(bytes)) throw badHead('it begins with an empty line, the headers must come first')
    // The last LF of what came before, or LF CR, may be half of the empty line.
    const end = endOfHead(bytes, Math.max(0, before - 2))
    const length = end === -1 ? bytes.length : end
    if (this.#earlier + length > LONGEST_HEAD) throw this.#tooLong(bytes)
    if (end === -1) return this.#hold(content, bytes.length)
    const head = readHead(bytes.toString('latin1', 0, end))
    this.#earlier += end
    this.#held = null
    this.#heldLength = 0
    return { head, rest: content.subarray(end - before) }
  }

  /** The failure of an answer that ends here, before its head has. */
  unfinished(): FastCgiError {
    if (this.#held === null) {
      return new FastCgiError('ERR_FCGI_BAD_RESPONSE', {
        detail: 'The script ended without an answer: not one header came (did it crash? its STDERR may say)',
      })
    }
    const begin = quoted(this.#held.toString('latin1', 0, this.#heldLength))
    return badHead(`the script ended before the empty line that ends the headers; it had sent ${begin}`)
  }

  /** The bytes of the head that came so far; a head that comes whole is not copied. */
  #join(content: Buffer): Buffer {
    if (this.#held === null) return content
    const length = this.#heldLength + content.length
    if (length > this.#held.length) return this.#grow(content, length)
    content.copy(this.#held, this.#heldLength)
    return this.#held.subarray(0, length)
  }

  #grow(content: Buffer, length: number): Buffer {
    const held = this.#held
    // Twice the room each time: a head that comes byte by byte is not copied as often as it has bytes.
    const grown = Buffer.allocUnsafe(Math.max(length, this.#heldLength * 2))
    held?.copy(grown, 0, 0, this.#heldLength)
    content.copy(grown, this.#heldLength)
    this.#held = grown
    return grown.subarray(0, length)
  }

  #hold(content: Buffer, length: number): null {
    if (this.#held === null && length > 0) this.#held = content
    this.#heldLength = length
    return null
  }

  #tooLong(bytes: Buffer): FastCgiError {
    const begin = quoted(bytes.toString('latin1', 0, 128))
    return badHead(`no empty line ends the headers within ${LONGEST_HEAD} bytes; they begin with ${begin}`)
  }
}

function startsBlank(bytes: Buffer): boolean {
  return bytes[0] === LF || (bytes[0] === CR && bytes[1] === LF)
}

/** Where the body begins, or -1 while no empty line has come. */
function endOfHead(bytes: Buffer, from: number): number {
  for (let lf = bytes.indexOf(LF, from); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf + 1] === LF) return lf + 2
    if (bytes[lf + 1] === CR && bytes[lf + 2] === LF) return lf + 3
  }
  return -1
}

/**
 * Heads of a moment ago, by their text: the scripts of a site send few different ones. To read a small one anew costs 3 µs, to find it
 * here 0.3. What sets a cookie hardly comes twice, and is nobody else's.
 */
const remembered = new Map<string, ResponseHead>()
const REMEMBERED_HEADS = 256
const LONGEST_REMEMBERED = 512

function readHead(text: string): ResponseHead {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const head = parseHead(text)
  if (text.length > LONGEST_REMEMBERED || head.fields.some(({ key }) => key === 'set-cookie')) return head
  if (remembered.size >= REMEMBERED_HEADS) remembered.clear()
  remembered.set(text, head)
  return head
}

function parseHead(text: string): ResponseHead {
  refuseControls(text)
  const lines = splitLines(text)
  const fields: HeaderField[] = []
  const warnings: string[] = []
  let given = parseStatusLine(lines[0] ?? '')
  for (let index = given === null ? 0 : 1; index < lines.length; index++) {
    const field = parseField(lines[index] ?? '')
    if (field.key !== 'status') {
      const warning = addField(fields, field)
      if (warning !== null) warnings.push(warning)
    } else if (given === null) {
      given = parseStatus(field.value)
    } else {
      warnings.push(`the script sent a status twice; the first counts, dropped ${quoted(field.value)}`)
    }
  }
  return headOf(given, fields, warnings)
}

function headOf(
  given: ResponseStatus | null,
  fields: readonly HeaderField[],
  warnings: readonly string[],
): ResponseHead {
  const repeats = new Set(fields.map(({ key }) => key)).size < fields.length
  if (given !== null) {
    return { status: given.status, reason: given.reason, statusGiven: true, fields, repeats, warnings }
  }
  // RFC 3875 section 6.2.3: a Location without a status is a redirect.
  const moved = fields.some((field) => field.key === 'location' && field.value !== '')
  return { status: moved ? 302 : 200, reason: undefined, statusGiven: false, fields, repeats, warnings }
}

/** The lines of a head without their ends, up to the empty one. */
function splitLines(text: string): string[] {
  const lines: string[] = []
  for (let start = 0; ; ) {
    const lf = text.indexOf('\n', start)
    const end = text.charCodeAt(lf - 1) === CR ? lf - 1 : lf
    if (end <= start) return lines
    if (lines.push(text.slice(start, end)) > MOST_LINES) throw badHead(`it has more than ${MOST_LINES} lines`)
    start = lf + 1
  }
}
