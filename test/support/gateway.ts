import type { IncomingMessage, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type FastCgiHandler, type FastCgiOptions, fastcgi } from '../../lib/index.ts'
import { listen, type Site } from './site.ts'

/** The document root of the PHP scripts in test/fixtures/php. */
export const phpRoot: string = fileURLToPath(new URL('../fixtures/php', import.meta.url)).replace(/\/$/, '')

/** A gateway behind node:http, and what it has logged. */
export interface Gateway extends Site {
  readonly handler: FastCgiHandler
  readonly log: string[]
  readonly errors: unknown[]
}

/** Serves these options on a port of 127.0.0.1; a request that the gateway does not take is answered 404, an error 500 and up. */
export async function serve(options: FastCgiOptions): Promise<Gateway> {
  const log: string[] = []
  const errors: unknown[] = []
  const write = (message: string): void => void log.push(message)
  const handler = fastcgi({ logger: { error: write, warn: write, info: write }, ...options })
  const site = await listen((req, res) => {
    handler(req, res, (error?: unknown) => finish(req, res, error))
  })
  function finish(_req: IncomingMessage, res: ServerResponse, error: unknown): void {
    if (error !== undefined) errors.push(error)
    res.statusCode = error === undefined ? 404 : ((error as { status?: number }).status ?? 500)
    res.end(error === undefined ? 'not taken' : String(error))
  }
  return {
    ...site,
    handler,
    log,
    errors,
    async close() {
      await site.close()
      await handler.close()
    },
  }
}
