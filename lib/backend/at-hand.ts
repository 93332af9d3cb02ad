/**
 * What is at hand for the next request, the last one first, so that under constant load the same few are used and the others
 * stay below. What has lain there for a whole interval is not needed now, and handed back.
 */
export class AtHand<Thing> {
  readonly #stack: Thing[] = []
  /** The lowest height of the stack since the last look: nothing below it was needed. */
  #low = 0
  readonly #interval: number
  readonly #handBack: (thing: Thing) => void
  #timer: NodeJS.Timeout | null = null

  /** `interval` in milliseconds; `handBack` takes those that were not needed for one to two of them. */
  constructor(interval: number, handBack: (thing: Thing) => void) {
    this.#interval = interval
    this.#handBack = handBack
  }

  get size(): number {
    return this.#stack.length
  }

  /** The one that has lain here for longest; null: none. */
  get oldest(): Thing | null {
    return this.#stack[0] ?? null
  }

  put(thing: Thing): void {
    this.#stack.push(thing)
    this.#timer ??= setInterval(this.#look, this.#interval).unref()
  }

  /** The one that was put last; null: none. */
  take(): Thing | null {
    const thing = this.#stack.pop() ?? null
    this.#low = Math.min(this.#low, this.#stack.length)
    return thing
  }

  /** Takes one out from anywhere; false: it was not here. */
  remove(thing: Thing): boolean {
    const place = this.#stack.lastIndexOf(thing)
    if (place === -1) return false
    this.#stack.splice(place, 1)
    if (place < this.#low) this.#low -= 1
    return true
  }

  readonly #look = (): void => {
    for (const thing of this.#stack.splice(0, this.#low)) this.#handBack(thing)
    this.#low = this.#stack.length
    if (this.#low > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
