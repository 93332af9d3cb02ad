// A gateway in a process of its own, told by its parent how it is set up, which answers questions about itself.
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type FastCgiHandler, fastcgi } from '../lib/index.ts'
import type { GatewaySetup, Vitals } from './gateway-process.ts'

/** Milliseconds after which Node's own server gives up on a client. */
const TIMES = {
  headersTimeout: 1_000,
  requestTimeout: 1_500,
  connectionsCheckingInterval: 200,
  keepAliveTimeout: 5_000,
}

const noise: string[] = []
let intercepted = 0
const note = (what: string) => (error: unknown) => {
  noise.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
}
process.on('unhandledRejection', note('unhandledRejection'))
process.on('warning', note('warning'))
// Not a listener of uncaughtException: the process is to die of it, as an operator's does.
process.on('uncaughtExceptionMonitor', (error) => console.error(`uncaughtException: ${error.stack}`))

function log(message: string): void {
  if (message.includes('ERR_FCGI_INTERNAL')) noise.push(message)
}

function serverOf({ host, mount, staticRoot }: GatewaySetup, handler: FastCgiHandler): Server {
  if (host === 'http2') return createHttp2Server((req, res) => handler(req as never, res as never)) as unknown as Server
  if (host === 'node') return createHttpServer(TIMES, (req, res) => handler(req, res))
  const app = express()
  app.disable('x-powered-by')
  app.use(mount, handler)
  if (staticRoot !== null) app.use(mount, express.static(staticRoot))
  app.use((error: unknown, _req: express.Request, res: express.Response, next: express.NextFunction) => {
    if (res.headersSent) return next(error)
    intercepted += 1
    const { status = 500, code } = error as { status?: number; code?: string }
    if (status === 500 && code !== 'ERR_FCGI_INTERCEPTED') note('next(error)')(error)
    res.status(status).type('txt').send(`${status} by the host\n`)
  })
  return createHttpServer(TIMES, app)
}

/** What each open descriptor is of. Files that `express.static` has left open are Express's (docs/security.md). */
function descriptors({ staticRoot }: GatewaySetup): string[] {
  try {
    return readdirSync('/proc/self/fd')
      .map(targetOf)
      .filter((target) => staticRoot === null || !target.startsWith(`${staticRoot}/`))
  } catch {
    // Only Linux has it.
    return []
  }
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    // The one that was open to read the directory.
    return 'closed'
  }
}

function vitals(handler: FastCgiHandler): Vitals {
  globalThis.gc?.()
  const backends = handler.status().servers
  const sum = (of: (one: (typeof backends)[number]) => number): number =>
    backends.reduce((all, one) => all + of(one), 0)
  return {
    descriptors: descriptors(setup),
    clients,
    listeners: process.eventNames().reduce((all, name) => all + process.listenerCount(name), 0),
    heap: process.memoryUsage().heapUsed,
    rss: process.memoryUsage.rss(),
    open: sum(({ open }) => open),
    busy: sum(({ busy }) => busy),
    waiting: sum(({ waiting }) => waiting),
    intercepted,
    noise: noise.splice(0),
  }
}

const setup = JSON.parse(process.argv[2] ?? '{}') as GatewaySetup
const handler = fastcgi({ ...setup.options, logger: { error: log, warn: log, info: log } })
const server = serverOf(setup, handler)
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
let clients = 0
server.on('connection', (socket) => {
  clients += 1
  socket.once('close', () => {
    clients -= 1
  })
})
process.on('message', () => process.send?.(vitals(handler)))
process.on('disconnect', () => process.exit())
