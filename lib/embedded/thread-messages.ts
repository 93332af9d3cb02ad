import type { LockRequest } from './file-locks.ts'
import type { PhpRequest } from './php-request.ts'
import type { WasmModule } from './web-assembly.ts'

/** What a thread is given when it starts. */
export interface ThreadSetup {
  readonly packageUrl: string
  readonly module: WasmModule
  readonly ini: string
  /** Memory of the ByteRings for FCGI_STDOUT and FCGI_STDERR. */
  readonly stdout: SharedArrayBuffer
  readonly stderr: SharedArrayBuffer
  /** One Int32 in which the answer to a lock request is given: LOCK_… below. */
  readonly lockAnswer: SharedArrayBuffer
}

/** Values of `lockAnswer`. */
export const LOCK_ASKED: number = 0
export const LOCK_GRANTED: number = 1
export const LOCK_REFUSED: number = 2

/** From the program to the thread: run this. */
export interface RunMessage {
  readonly request: PhpRequest
  readonly body: Uint8Array | null
}

/** From the thread to the program. */
export type ThreadMessage =
  | { readonly type: 'ready' }
  /** There is output in a ring. */
  | { readonly type: 'output' }
  | { readonly type: 'lock'; readonly request: LockRequest }
  /** The script has ended; `memory` is in bytes. */
  | { readonly type: 'end'; readonly exitStatus: number; readonly memory: number }
