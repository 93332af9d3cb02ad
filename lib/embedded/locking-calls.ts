import { fstatSync } from 'node:fs'
import { EAGAIN, EINVAL, type EmscriptenPhp, type UserSpace, type UserSpaceContext } from './emscripten.ts'
import type { LockMode, LockRequest } from './file-locks.ts'

/** Commands of fcntl(2) and flock(2), as musl numbers them. */
const F_GETLK = 12
const F_SETLK = 13
const F_SETLKW = 14
const LOCK_NB = 4
const FLOCK_MODES: ReadonlyMap<number, LockMode> = new Map([
  [1, 'shared'],
  [2, 'exclusive'],
  [8, 'none'],
])
/** F_RDLCK, F_WRLCK, F_UNLCK. */
const FCNTL_MODES: readonly LockMode[] = ['shared', 'exclusive', 'none']
const F_UNLCK = 2
const SEEK_SET = 0

/** struct flock of wasm32: where its members are. */
const L_START = 8
const L_LEN = 16

/** The system calls that lock files. `lock` asks the program, and returns when it has the answer. */
export class LockingCalls implements UserSpace {
  readonly #context: UserSpaceContext
  readonly #php: () => EmscriptenPhp
  readonly #lock: (request: LockRequest) => boolean
  /** Descriptors and files that may be locked: the others are closed without a question. */
  readonly #whole: Set<number> = new Set()
  readonly #ranges: Set<string> = new Set()

  constructor(context: UserSpaceContext, php: () => EmscriptenPhp, lock: (request: LockRequest) => boolean) {
    this.#context = context
    this.#php = php
    this.#lock = lock
  }

  flock(fd: number, operation: number): number {
    const mode = FLOCK_MODES.get(operation & ~LOCK_NB)
    if (mode === undefined) return -EINVAL
    const open = this.#open(fd)
    if (open === null) return 0
    this.#whole.add(open.descriptor)
    const wait = (operation & LOCK_NB) === 0
    return this.#lock({ kind: 'whole', ...open, mode, wait }) ? 0 : -EAGAIN
  }

  fcntl64(fd: number, command: number, varargs: number): number {
    const isLock = command === F_GETLK || command === F_SETLK || command === F_SETLKW
    const open = isLock ? this.#open(fd) : null
    if (open === null) return this.#context.wasmImports.builtin_fcntl64(fd, command, varargs)
    const heap = this.#php().HEAPU8
    const memory = new DataView(heap.buffer, heap.byteOffset, heap.byteLength)
    const at = memory.getUint32(varargs, true)
    const mode = FCNTL_MODES[memory.getInt16(at, true)]
    if (mode === undefined || memory.getInt16(at + 2, true) !== SEEK_SET) return -EINVAL
    const start = Number(memory.getBigInt64(at + L_START, true))
    const length = Number(memory.getBigInt64(at + L_LEN, true))
    this.#ranges.add(open.file)
    const ask = command === F_GETLK
    const range = { start, end: length === 0 ? Number.POSITIVE_INFINITY : start + length }
    const granted = this.#lock({ kind: 'range', file: open.file, ...range, mode, wait: command === F_SETLKW, ask })
    if (ask && granted) memory.setInt16(at, F_UNLCK, true)
    return granted || ask ? 0 : -EAGAIN
  }

  /** POSIX: closing any descriptor of a file drops the process's fcntl locks on it. */
  fd_close(fd: number): number {
    const open = this.#whole.size + this.#ranges.size === 0 ? null : this.#open(fd)
    if (open !== null && this.#whole.delete(open.descriptor)) {
      this.#lock({ kind: 'whole', ...open, mode: 'none', wait: false })
    }
    if (open !== null && this.#ranges.delete(open.file)) {
      const range = { start: 0, end: Number.POSITIVE_INFINITY }
      this.#lock({ kind: 'range', file: open.file, ...range, mode: 'none', wait: false, ask: false })
    }
    return this.#context.wasmImports.builtin_fd_close(fd)
  }

  /** Nothing: the program drops what is left when the request ends. */
  js_release_file_locks(): void {
    return
  }

  /** The request has ended, and the program dropped its locks. */
  forget(): void {
    this.#whole.clear()
    this.#ranges.clear()
  }

  /** Null for what is no open file of the machine: nobody else has it. */
  #open(fd: number): { readonly descriptor: number; readonly file: string } | null {
    const descriptor = this.#context.FS.getStream(fd)?.nfd
    if (descriptor === undefined) return null
    const { dev, ino } = fstatSync(descriptor)
    return { descriptor, file: `${dev}:${ino}` }
  }
}
