/** Measures a body against the Content-Length that announced it. */
export class ContentMeter {
  /** Null: the length was not announced. */
  readonly announced: number | null
  #received = 0

  constructor(announced: number | null) {
    this.announced = announced
  }

  get received(): number {
    return this.#received
  }

  get isShort(): boolean {
    return this.announced !== null && this.#received < this.announced
  }

  get isLong(): boolean {
    return this.announced !== null && this.#received > this.announced
  }

  /** Counts a piece and gives as much of it as was announced. */
  take(content: Buffer): Buffer {
    const before = this.#received
    this.#received += content.length
    if (this.announced === null || this.#received <= this.announced) return content
    return content.subarray(0, Math.max(0, this.announced - before))
  }
}
