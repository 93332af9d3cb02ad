/** How a file is locked. */
export type LockMode = 'shared' | 'exclusive' | 'none'

/** A lock that a thread asks for; `file` names the inode. */
export type LockRequest =
  | {
      /** flock(2): the whole file, owned by an open file. */
      readonly kind: 'whole'
      readonly file: string
      readonly descriptor: number
      readonly mode: LockMode
      readonly wait: boolean
    }
  | {
      /** fcntl(2): bytes from `start` to before `end`, owned by the thread. */
      readonly kind: 'range'
      readonly file: string
      readonly start: number
      readonly end: number
      readonly mode: LockMode
      readonly wait: boolean
      /** F_GETLK: nothing changes. */
      readonly ask: boolean
    }

interface Lock {
  readonly file: string
  /** A thread, or an open file of one. */
  readonly owner: string
  readonly start: number
  readonly end: number
  readonly mode: 'shared' | 'exclusive'
}

interface Waiter {
  readonly thread: number
  readonly request: LockRequest
  readonly answer: (granted: boolean) => void
}

/**
 * The file locks of all threads: this build of PHP grants every lock by itself, and sessions and SQLite databases would be
 * torn. Other processes know nothing of them.
 */
export class FileLocks {
  #locks: Lock[] = []
  #waiters: Waiter[] = []

  /** Answers at once, or, for a request that waits, when the lock is there. */
  request(thread: number, request: LockRequest, answer: (granted: boolean) => void): void {
    if (this.#grant(thread, request)) answer(true)
    else if (request.wait) this.#waiters.push({ thread, request, answer })
    else answer(false)
  }

  /** Drops what a thread holds and waits for. */
  releaseThread(thread: number): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.thread !== thread)
    this.#locks = this.#locks.filter(({ owner }) => owner !== `${thread}` && !owner.startsWith(`${thread}:`))
    this.#retry()
  }

  #grant(thread: number, request: LockRequest): boolean {
    const wanted = lockOf(thread, request)
    const { mode } = request
    if (mode !== 'none' && this.#locks.some((lock) => conflicts(lock, wanted, mode))) return false
    if (request.kind === 'range' && request.ask) return true
    const freed = this.#locks.length
    this.#locks = this.#locks.flatMap((lock) => (isSameOwner(lock, wanted) ? without(lock, wanted) : [lock]))
    if (mode !== 'none') this.#locks.push({ ...wanted, mode })
    if (freed > 0 && mode !== 'exclusive') this.#retry()
    return true
  }

  #retry(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const { thread, request, answer } of waiters) this.request(thread, request, answer)
  }
}

type Range = Omit<Lock, 'mode'>

function lockOf(thread: number, request: LockRequest): Range {
  const { file } = request
  if (request.kind === 'range') return { file, owner: `${thread}`, start: request.start, end: request.end }
  return { file, owner: `${thread}:${request.descriptor}`, start: 0, end: Number.POSITIVE_INFINITY }
}

/** flock and fcntl know nothing of each other, as on Linux. */
function conflicts(lock: Lock, wanted: Range, mode: LockMode): boolean {
  if (lock.file !== wanted.file || lock.owner === wanted.owner) return false
  if (lock.owner.includes(':') !== wanted.owner.includes(':')) return false
  if (lock.mode === 'shared' && mode === 'shared') return false
  return lock.start < wanted.end && wanted.start < lock.end
}

function isSameOwner(lock: Lock, wanted: Range): boolean {
  return lock.file === wanted.file && lock.owner === wanted.owner
}

/** What is left of a lock outside of a range. */
function without(lock: Lock, range: Range): readonly Lock[] {
  return [
    { ...lock, end: Math.min(lock.end, range.start) },
    { ...lock, start: Math.max(lock.start, range.end) },
  ].filter(({ start, end }) => start < end)
}
