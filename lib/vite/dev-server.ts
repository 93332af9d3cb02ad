import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '../http/failure.ts'
import type { Logger } from '../options/types.ts'

/** A handler as Connect takes it. */
export type DevHandler = (req: IncomingMessage, res: ServerResponse, next: Next) => void

/** As much of Vite's dev server as is used here: its types stay out of ours. */
export interface DevServer {
  readonly config: {
    readonly root: string
    /** Begins and ends with a slash. */
    readonly base: string
    readonly logger: Logger
  }
  /** A Connect application. */
  readonly middlewares: { use(handler: DevHandler): unknown; use(path: string, handler: DevHandler): unknown }
  readonly watcher: {
    add(paths: readonly string[]): unknown
    on(event: 'all', listener: (event: string, file: string) => void): unknown
  }
  readonly ws: { send(payload: { type: 'full-reload'; path: string }): void }
  readonly environments: { readonly client: object }
}
