import type { Writable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { ByteRing, ringMemory } from './byte-ring.ts'
import type { FileLocks } from './file-locks.ts'
import type { PhpBuild } from './php-build.ts'
import type { PhpRequest } from './php-request.ts'
import { LOCK_GRANTED, LOCK_REFUSED, type RunMessage, type ThreadMessage, type ThreadSetup } from './thread-messages.ts'

/** What the threads of a program share. */
export interface ThreadSettings {
  readonly build: PhpBuild
  /** The text of php.ini. */
  readonly ini: string
  readonly locks: FileLocks
}

/** Where the output of a script goes, and when it is not wanted any more. */
export interface ScriptOutput {
  readonly stdout: Writable
  readonly stderr: Writable
  readonly signal: AbortSignal
}

interface RunningScript {
  resolve(exitStatus: number): void
  reject(error: Error): void
}

/** Compiled in any case, as threads of Node 20 know no TypeScript. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/embedded/worker.js' : './worker.js',
  import.meta.url,
)

/** Bytes that a script may be ahead of the web server. */
const STDOUT_CAPACITY = 256 * 1024
const STDERR_CAPACITY = 16 * 1024

/** Milliseconds for a script to notice, at its next write, that nobody reads; then the thread is ended. */
const ABORT_GRACE = 500

/** A thread with a PHP in it, as the program sees it. */
export class PhpThread {
  /** Resolves when PHP has started; rejects when it could not. */
  readonly ready: Promise<void>
  /** Resolves when the thread has ended, for whatever reason. */
  readonly ended: Promise<void>
  readonly #worker: Worker
  readonly #id: number
  readonly #locks: FileLocks
  readonly #lockAnswer: Int32Array
  readonly #stdout: OutputPipe
  readonly #stderr: OutputPipe
  #failure: unknown = null
  #isEnded = false
  #requests = 0
  #memory = 0
  #run: RunningScript | null = null

  constructor({ build, ini, locks }: ThreadSettings) {
    const setup: ThreadSetup = {
      packageUrl: build.url,
      module: build.module,
      ini,
      stdout: ringMemory(STDOUT_CAPACITY),
      stderr: ringMemory(STDERR_CAPACITY),
      lockAnswer: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    }
    this.#locks = locks
    this.#lockAnswer = new Int32Array(setup.lockAnswer)
    this.#stdout = new OutputPipe(setup.stdout)
    this.#stderr = new OutputPipe(setup.stderr)
    this.#worker = new Worker(WORKER, { workerData: setup })
    // Node forgets it when the thread has ended.
    this.#id = this.#worker.threadId
    this.#worker.on('error', (error) => {
      this.#failure = error
    })
    this.ended = new Promise((resolve) => this.#worker.once('exit', () => resolve(this.#exit())))
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: ThreadMessage) => {
        if (message.type === 'ready') resolve()
        else this.#onMessage(message)
      })
      void this.ended.then(() => reject(this.#lost()))
    })
    // Whoever waits for it hears of it; nobody need.
    this.ready.catch(() => undefined)
  }

  /** Scripts that it has run. */
  get requests(): number {
    return this.#requests
  }

  /** Bytes of PHP's memory, which never shrinks. */
  get memory(): number {
    return this.#memory
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Runs a script. Resolves with its exit status when its output was taken; rejects when the thread was lost under it. */
  async run(request: PhpRequest, body: Uint8Array | null, output: ScriptOutput): Promise<number> {
    if (this.#isEnded) throw this.#lost()
    this.#requests += 1
    this.#stdout.open(output.stdout)
    this.#stderr.open(output.stderr)
    const stopWatching = this.#endOnAbort(output.signal)
    try {
      const message: RunMessage = { request, body }
      const exitStatus = await new Promise<number>((resolve, reject) => {
        this.#run = { resolve, reject }
        this.#worker.postMessage(message, body === null ? [] : [body.buffer as ArrayBuffer])
      })
      await Promise.all([this.#stdout.empty(), this.#stderr.empty()])
      return exitStatus
    } finally {
      stopWatching()
      this.#locks.releaseThread(this.#id)
      this.#run = null
    }
  }

  /** Ends the thread, whatever it is doing. */
  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #endOnAbort(signal: AbortSignal): () => void {
    let timer: NodeJS.Timeout | undefined
    const abort = (): void => {
      this.#stdout.drop()
      this.#stderr.drop()
      timer = setTimeout(() => void this.terminate(), ABORT_GRACE)
    }
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    return () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }

  #onMessage(message: Exclude<ThreadMessage, { type: 'ready' }>): void {
    switch (message.type) {
      case 'output':
        this.#stdout.pump()
        this.#stderr.pump()
        return
      case 'lock':
        this.#locks.request(this.#id, message.request, (granted) => this.#answerLock(granted))
        return
      case 'end':
        this.#memory = message.memory
        this.#run?.resolve(message.exitStatus)
    }
  }

  #answerLock(granted: boolean): void {
    Atomics.store(this.#lockAnswer, 0, granted ? LOCK_GRANTED : LOCK_REFUSED)
    Atomics.notify(this.#lockAnswer, 0)
  }

  #exit(): void {
    this.#isEnded = true
    this.#stdout.pump()
    this.#stderr.pump()
    this.#locks.releaseThread(this.#id)
    this.#run?.reject(this.#lost())
  }

  #lost(): Error {
    // What is thrown in there is not always an Error.
    const { message = 'it gave no reason' } = Object(this.#failure)
    return new Error(`The thread of PHP has ended: ${message}`, { cause: this.#failure })
  }
}

/** From a ring to a stream, as fast as the stream takes it. */
class OutputPipe {
  readonly #ring: ByteRing
  #target: Writable | null = null
  #flowing = true
  #onEmpty: (() => void) | null = null

  constructor(memory: SharedArrayBuffer) {
    this.#ring = new ByteRing(memory)
  }

  open(target: Writable): void {
    this.#ring.reset()
    this.#target = target
    this.#flowing = true
  }

  pump(): void {
    while (this.#flowing && this.#target !== null) {
      const bytes = this.#ring.read()
      if (bytes === null) break
      this.#flowing = this.#target.write(bytes)
      if (!this.#flowing) this.#target.once('drain', () => this.#resume())
    }
    if (this.#flowing) this.#onEmpty?.()
  }

  /** Resolves when nothing more is to come and everything was taken. */
  async empty(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      this.pump()
    })
    this.#onEmpty = null
    this.#target = null
  }

  /** Nobody reads any more. */
  drop(): void {
    this.#ring.close()
    this.#target = null
    this.#flowing = true
    this.#onEmpty?.()
  }

  #resume(): void {
    this.#flowing = true
    this.pump()
  }
}
