import type { Ending } from './supervised-process.ts'

/** Where a backend finds its listening socket. */
type SocketPlace =
  /** File descriptor 0 (FastCGI 1.0 section 2.2). */
  | 0
  /** File descriptor 3, of which php-fpm is told by FPM_SOCKETS. */
  | 3
  /** It makes the socket itself. */
  | null

/** How a backend is started. */
export interface Recipe {
  readonly program: string
  readonly parameters: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Who it runs as; null: whoever we are. */
  readonly user: { readonly uid: number; readonly gid: number } | null
  /** Processes of the same kind. */
  readonly count: number
  readonly socket: SocketPlace
  /** Asks it to end after the requests that it has begun. */
  readonly stopSignal: NodeJS.Signals
}

/** What the gateway tells its supervisor. */
export type SupervisorOrder =
  | {
      readonly kind: 'start'
      readonly recipe: Recipe
      /** Removed when the gateway is gone and cannot do it any more. */
      readonly directory: string
    }
  | { readonly kind: 'stop' }

/** What a supervisor tells the gateway: a process of the backend ended, and is started again. */
export type SupervisorReport = Ending
