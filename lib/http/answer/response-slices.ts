import { OutgoingMessage } from 'node:http'
import { closesEarly, endLingering } from '../body/lingering-end.ts'
import type { ClientResponse } from './client-response.ts'

/** Bytes up to which the slices of one read are joined: copying them costs less than a write for each. */
const MOST_JOINED = 16 * 1024

/**
 * Bytes of a body that is ended with as text: Node puts it behind the head, and both are one write, where bytes would make it a list of
 * two, which takes 3 µs more.
 */
const LONGEST_TEXT = 8 * 1024

/** The part of a body that came and was not yet sent, in the slices in which it came. */
export class ResponseSlices {
  #slices: Buffer[] = []
  #length = 0

  /** Bytes. */
  get length(): number {
    return this.#length
  }

  push(slice: Buffer): void {
    if (slice.length === 0) return
    this.#slices.push(slice)
    this.#length += slice.length
  }

  clear(): void {
    this.#slices = []
    this.#length = 0
  }

  /** All of it in one piece; stays where it is. */
  join(): Buffer {
    const [first] = this.#slices
    return this.#slices.length === 1 && first !== undefined ? first : Buffer.concat(this.#slices, this.#length)
  }

  /**
   * Sends all of it. Whether the response has room for more. Node makes one write of all that a turn brings; `res.cork()`, since Node 22, puts
   * the end of an answer before what is corked, and then says of room what is not so.
   */
  writeTo(res: ClientResponse): boolean {
    if (this.#slices.length === 1 || this.#length <= MOST_JOINED) return res.write(this.#empty())
    let hasRoom = true
    for (const slice of this.#slices) hasRoom = res.write(slice)
    this.clear()
    return hasRoom
  }

  /** Sends all of it and ends the response, both at once. */
  endTo(res: ClientResponse): void {
    if (closesEarly(res)) {
      this.writeTo(res)
      endLingering(res)
      return
    }
    if (this.#length === 0) {
      res.end()
      return
    }
    if (this.#length <= LONGEST_TEXT && endsByItself(res)) {
      res.end(this.#empty().toString('latin1'), 'latin1')
      return
    }
    if (this.#slices.length === 1 || this.#length <= MOST_JOINED) {
      res.end(this.#empty())
      return
    }
    this.writeTo(res)
    res.end()
  }

  #empty(): Buffer {
    const all = this.join()
    this.clear()
    return all
  }
}

/** Nobody has put an `end` of his own before Node's: middleware may take a text for one in UTF-8. HTTP/2 has another one. */
function endsByItself(res: ClientResponse): boolean {
  return res.end === OutgoingMessage.prototype.end
}
