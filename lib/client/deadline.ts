/** One timer that is armed, pushed back and disarmed many times: at most one wait is under it. */
export class Deadline {
  #timer: NodeJS.Timeout | null = null

  /** Calls `expired` in `milliseconds` unless armed again or cleared; 0 means never. Replaces what was armed before. */
  arm(milliseconds: number, expired: () => void): void {
    this.clear()
    if (milliseconds > 0) this.#timer = setTimeout(expired, milliseconds)
  }

  /** Starts the running wait anew. */
  refresh(): void {
    this.#timer?.refresh()
  }

  clear(): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }
}
