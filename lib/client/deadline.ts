import { begin, end, restart, type TickedWait, tickedWait } from './ticks.ts'

/** Milliseconds from which on a wait is counted in ticks, and ends up to a fifth of a second late. Shorter ones are exact. */
const COARSE_FROM = 5000

/** One timer that is armed, pushed back and disarmed many times: at most one wait is under it. */
export class Deadline {
  #timer: NodeJS.Timeout | null = null
  #wait: TickedWait | null = null

  /** Calls `expired` in `milliseconds` unless armed again or cleared; 0 means never. Replaces what was armed before. */
  arm(milliseconds: number, expired: () => void): void {
    this.clear()
    if (milliseconds >= COARSE_FROM) {
      this.#wait = tickedWait(milliseconds, expired)
      begin(this.#wait)
    } else if (milliseconds > 0) this.#timer = setTimeout(expired, milliseconds)
  }

  /** Starts the running wait anew. */
  refresh(): void {
    if (this.#wait !== null) restart(this.#wait)
    else this.#timer?.refresh()
  }

  clear(): void {
    if (this.#wait !== null) {
      end(this.#wait)
      this.#wait = null
    } else if (this.#timer !== null) {
      clearTimeout(this.#timer)
      this.#timer = null
    }
  }
}
