import type { FastCgiError } from '../errors.ts'
import { type FailedAttempt, verdictOf } from './verdict.ts'

/** Whether a backend is given requests; `probing`: one request finds out. */
export type HealthState = 'up' | 'down' | 'probing'

const SUCCESSORS: Readonly<Record<HealthState, readonly HealthState[]>> = {
  up: ['down'],
  down: ['probing', 'up'],
  probing: ['up', 'down'],
}

/** When a backend is taken down, and for how long. */
export interface HealthOptions {
  /** Failures without an answer in between; 0: it is never taken down. */
  readonly maxFails: number
  /** Milliseconds within which they happen, and for which it is then left alone. */
  readonly failTimeout: number
  /** An active check looks after it: no user's request is risked to find out whether it is back. */
  readonly checked: boolean
}

/** What {@link Health} needs and whom it tells. */
export interface HealthObserver {
  /** Milliseconds on a clock that never jumps. */
  now(): number
  /** It was up. `error` was the last straw; it is left alone for `retryIn` milliseconds. */
  onDown(error: FastCgiError, retryIn: number): void
  /** It was down for so many milliseconds. */
  onUp(downFor: number): void
}

/**
 * Whether one backend is given requests: `up → down → probing → up`, where a failed probe is `down` again, and an active check that
 * is answered leads from `down` to `up`.
 *
 * Each attempt takes the {@link generation} along when its request is sent, and hands it back with what became of it: what was begun
 * before a turning point says nothing of the time after it. So requests that hang since before a backend went down do not
 * take it down again when they give up, and connections that die together, as in a reload, count once.
 */
export class Health {
  #options: HealthOptions
  readonly #observer: HealthObserver
  #state: HealthState = 'up'
  #generation = 0
  /** Answers to attempts of this generation and later ones count; failures only those of the current one. */
  #answersSince = 0
  /** When each failure since the last answer was, as far as they count. */
  #failures: number[] = []
  /** In a row. Apart from users' requests: a health script may answer 503 while all others are served. */
  #failedChecks = 0
  #downSince = 0
  /** While not up: from when on the next probe may be sent. */
  #retryAt = 0
  #reason: FastCgiError | null = null

  constructor(options: HealthOptions, observer: HealthObserver) {
    this.#options = options
    this.#observer = observer
  }

  get state(): HealthState {
    return this.#state
  }

  get up(): boolean {
    return this.#state === 'up'
  }

  /** Read when a request is sent (a probe's after {@link claimProbe}) and given back with what became of it. */
  get generation(): number {
    return this.#generation
  }

  /** The last error of a backend that is not up; else null. */
  get reason(): FastCgiError | null {
    return this.#reason
  }

  /** Milliseconds; 0: it is up. */
  get downFor(): number {
    return this.up ? 0 : this.#observer.now() - this.#downSince
  }

  /** Milliseconds until the next probe may be sent; 0: at once, or it is up. */
  get retryIn(): number {
    return this.up ? 0 : Math.max(0, this.#retryAt - this.#observer.now())
  }

  /** Milliseconds. */
  get failTimeout(): number {
    return this.#options.failTimeout
  }

  /** Other options, for what happens from now on. */
  reconfigure(options: HealthOptions): void {
    this.#options = options
    if (this.up) return
    this.#retryAt = Math.min(this.#retryAt, this.#observer.now() + options.failTimeout)
    if (options.maxFails === 0) this.#rise()
  }

  /**
   * Whether this request may be the one that finds out; it then must, and tell. A probe that says nothing for failTimeout does not
   * keep the next one waiting.
   * @param lastResort No backend of the group is up: any may be tried before its time, though by one request at once
   */
  claimProbe(lastResort: boolean): boolean {
    if (this.up || (this.#options.checked && !lastResort)) return false
    const now = this.#observer.now()
    const early = lastResort && this.#state === 'down'
    if (now < this.#retryAt && !early) return false
    if (this.#state === 'down') this.#enter('probing')
    this.#generation += 1
    this.#retryAt = now + this.#options.failTimeout
    return true
  }

  /** A request ended without a word about the backend, as its client left: if it was the probe, the next one may be. */
  abandonProbe(generation: number): void {
    if (generation !== this.#generation || this.#state !== 'probing') return
    this.#enter('down')
    this.#retryAt = this.#observer.now()
  }

  /** A request got its whole answer, whatever that says. */
  noteAnswer(generation: number): void {
    if (generation < this.#answersSince) return
    if (!this.up) this.#rise()
    else if (this.#failures.length > 0) this.#failures = []
  }

  /** A request got none. */
  noteFailure(attempt: FailedAttempt, generation: number): void {
    switch (verdictOf(attempt)) {
      case 'answers':
        return this.noteAnswer(generation)
      case 'nothing':
        return this.abandonProbe(generation)
      case 'fails':
        if (generation === this.#generation) this.#countFailure(attempt)
    }
  }

  /** What an active check found; null: it was answered well. */
  noteCheck(error: FastCgiError | null, generation: number): void {
    if (generation < this.#answersSince) return
    if (error === null) {
      this.#failedChecks = 0
      if (!this.up) this.#rise()
    } else if (this.up) {
      this.#failedChecks += 1
      if (this.#isEnough(this.#failedChecks)) this.#fall(error)
    } else {
      this.#reason = error
    }
  }

  #countFailure({ error, took = 0 }: FailedAttempt): void {
    if (this.#state === 'probing') return this.#fall(error)
    const { maxFails, failTimeout } = this.#options
    if (!this.up || maxFails === 0) return
    const now = this.#observer.now()
    // Those that are silent fail slowly: enough of them must fit in, however long readTimeout is and however few requests come.
    const since = now - failTimeout - maxFails * took
    this.#failures = this.#failures.filter((time) => time > since)
    this.#failures.push(now)
    if (this.#isEnough(this.#failures.length)) return this.#fall(error)
    // A lost connection may be one of many that a dying process took along: the others are no further failures.
    if (error.code === 'ERR_FCGI_RESET' || error.code === 'ERR_FCGI_TRUNCATED') this.#turn()
  }

  #isEnough(failures: number): boolean {
    return this.#options.maxFails > 0 && failures >= this.#options.maxFails
  }

  #fall(error: FastCgiError): void {
    const now = this.#observer.now()
    const wasUp = this.up
    this.#enter('down')
    this.#turn()
    this.#retryAt = now + this.#options.failTimeout
    this.#reason = error
    if (!wasUp) return
    this.#downSince = now
    this.#observer.onDown(error, this.#options.failTimeout)
  }

  #rise(): void {
    const { downFor } = this
    this.#enter('up')
    this.#turn()
    this.#failures = []
    this.#failedChecks = 0
    this.#reason = null
    this.#observer.onUp(downFor)
  }

  /** What was begun before no longer counts. */
  #turn(): void {
    this.#generation += 1
    this.#answersSince = this.#generation
  }

  #enter(next: HealthState): void {
    if (!SUCCESSORS[this.#state].includes(next)) throw new Error(`Health cannot go from ${this.#state} to ${next}`)
    this.#state = next
  }
}
