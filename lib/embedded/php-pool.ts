import type { PhpThread } from './php-thread.ts'

/** How many threads, and when one is worn out. */
export interface PhpPoolSettings {
  readonly size: number
  /** Requests after which a thread makes place for a new one. */
  readonly maxRequests: number
  readonly start: () => PhpThread
  /** Told that a thread did not start; those that waited for it wait on. Not told of those that close() ended. */
  readonly onStartFailure: (error: unknown) => void
}

interface Waiter {
  readonly take: (thread: PhpThread) => void
}

/** Bytes of memory beyond which a thread is replaced when its request is done. */
const MAX_IDLE_MEMORY = 384 * 1024 * 1024

/** A fixed number of threads, one request at a time each; requests over it wait in order. The threads start as they are needed. */
export class PhpPool {
  readonly #settings: PhpPoolSettings
  readonly #threads: Set<PhpThread> = new Set()
  #idle: PhpThread[] = []
  #waiters: Waiter[] = []
  #starting = 0
  #closed = false

  constructor(settings: PhpPoolSettings) {
    this.#settings = settings
  }

  /** Starts the first thread, so that the first request need not wait for all of it. */
  warm(): void {
    this.#start()
  }

  /** A thread of one's own, to be given back with {@link PhpPool.checkIn}; null when the signal came first. */
  checkOut(signal: AbortSignal): Promise<PhpThread | null> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return Promise.resolve(idle)
    if (signal.aborted) return Promise.resolve(null)
    // One that is starting will do for each that waits.
    if (this.#waiters.length >= this.#starting && this.#threads.size < this.#settings.size) this.#start()
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        resolve(null)
      }
      const waiter: Waiter = {
        take(thread) {
          signal.removeEventListener('abort', leave)
          resolve(thread)
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiters.push(waiter)
    })
  }

  checkIn(thread: PhpThread): void {
    if (thread.isEnded) return
    if (thread.requests < this.#settings.maxRequests && thread.memory <= MAX_IDLE_MEMORY) this.#offer(thread)
    else void thread.terminate()
  }

  /** Ends every thread; those that wait, wait for ever. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#threads].map((thread) => thread.terminate()))
  }

  #start(): PhpThread {
    const thread = this.#settings.start()
    this.#threads.add(thread)
    this.#starting += 1
    let started = false
    thread.ready.then(
      () => {
        started = true
        this.#starting -= 1
        this.#offer(thread)
      },
      (error: unknown) => {
        this.#starting -= 1
        if (!this.#closed) this.#settings.onStartFailure(error)
      },
    )
    void thread.ended.then(() => this.#forget(thread, started))
    return thread
  }

  #offer(thread: PhpThread): void {
    const waiter = this.#waiters.shift()
    if (waiter === undefined) this.#idle.push(thread)
    else waiter.take(thread)
  }

  /** One that ran has a successor at once, so that the next request need not wait for its start. */
  #forget(thread: PhpThread, started: boolean): void {
    this.#threads.delete(thread)
    this.#idle = this.#idle.filter((other) => other !== thread)
    if (started && !this.#closed) this.#start()
  }
}
