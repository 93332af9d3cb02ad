/** Counts requests under way, so that what they use is not taken from them. */
export class Drain {
  #active = 0
  #closing: Promise<void> | null = null
  #emptied: (() => void) | null = null

  enter(): void {
    this.#active += 1
  }

  leave(): void {
    this.#active -= 1
    if (this.#active === 0) this.#emptied?.()
  }

  /** Resolves when the last request that had entered has left. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#emptied = resolve
      if (this.#active === 0) resolve()
    })
    return this.#closing
  }
}
