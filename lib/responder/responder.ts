import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { parseAddress } from '../client/address.ts'
import { FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS } from '../protocol/constants.ts'
import { type ConnectionSettings, ResponderConnection } from './connection.ts'
import type { ResponderListener } from './exchange.ts'

/** Options of {@link createResponder}. */
export interface ResponderOptions {
  /** Take several requests at once on one connection. Default true; otherwise the second gets FCGI_CANT_MPX_CONN. */
  readonly multiplexing?: boolean
  /** Connections at once; one over it is closed. Default unlimited. */
  readonly maxConnections?: number
  /** Requests at once on one connection; one over it gets FCGI_OVERLOADED. Default unlimited. */
  readonly maxRequests?: number
  /**
   * IP addresses of the web servers that may connect over TCP (FastCGI 1.0 section 3.2). Default: the environment's
   * FCGI_WEB_SERVER_ADDRS, separated by commas; where that is not set, everyone who can reach the address.
   */
  readonly webServerAddresses?: readonly string[]
  /** Told of failures of the application, malformed input and lost connections. Default: they end what they concern, unheard. Must not throw. */
  readonly onError?: (error: unknown) => void
}

/**
 * Where a FastCGI application listens: `host:port`, `[v6]:port`, the path of a unix socket, or what node:net takes: `{ port: 0,
 * host: '127.0.0.1' }` for any free port, `{ fd: 0 }` for the socket that a process manager has opened (FastCGI 1.0 section 2.2).
 */
export type ListenAddress = string | (ListenOptions & { readonly fd?: number })

/** A FastCGI application that listens. */
export interface Responder {
  /**
   * Begins to listen. FastCGI knows no passwords: listen where web servers alone can reach it. Rejects with Node's error, as
   * EADDRINUSE; with OptionError for a text that is no address.
   */
  listen(where: ListenAddress): Promise<void>
  /** `host:port` or the path of a unix socket, as the gateway's `address` takes it; null when it does not listen there. */
  readonly address: string | null
  /** Takes no new connections, finishes the requests that were begun, closes every connection. */
  close(): Promise<void>
  /** Closes every connection at once, requests or not. */
  closeAllConnections(): void
}

/**
 * A FastCGI application in Node, in the manner of http.createServer: `listener` is called for each request, as soon as its
 * parameters are there; its body is read from `req`, its answer written to `res`. What it throws or rejects with ends that
 * request with appStatus 1, and with status 500 where no answer was begun; the message goes to the log of the web server.
 */
export function createResponder(listener: ResponderListener, options: ResponderOptions = {}): Responder {
  const settings = connectionSettings(listener, options)
  const allowed = webServerAddresses(options)
  const connections = new Map<Socket, ResponderConnection>()
  const server = createServer((socket) => {
    const { remoteAddress } = socket
    if (allowed !== null && remoteAddress !== undefined && !allowed.has(withoutMapping(remoteAddress))) {
      socket.destroy()
      return
    }
    connections.set(socket, new ResponderConnection(socket, settings))
    socket.once('close', () => connections.delete(socket))
  })
  server.on('error', settings.onError)
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections
  return {
    listen: async (where) => listen(server, typeof where === 'string' ? listenOptions(where) : where),
    get address() {
      return addressOf(server)
    },
    close() {
      for (const connection of connections.values()) connection.drain()
      return new Promise((resolve) => server.close(() => resolve()))
    },
    closeAllConnections() {
      for (const socket of connections.keys()) socket.destroy()
    },
  }
}

function connectionSettings(listener: ResponderListener, options: ResponderOptions): ConnectionSettings {
  const { multiplexing = true, maxConnections, maxRequests, onError } = options
  const values = new Map([[FCGI_MPXS_CONNS, multiplexing ? '1' : '0']])
  if (maxConnections !== undefined) values.set(FCGI_MAX_CONNS, String(maxConnections))
  if (maxRequests !== undefined) values.set(FCGI_MAX_REQS, String(maxRequests))
  return {
    listener,
    multiplexing,
    maxRequests: maxRequests ?? Number.POSITIVE_INFINITY,
    values,
    onError: onError ?? (() => undefined),
  }
}

function webServerAddresses(options: ResponderOptions): ReadonlySet<string> | null {
  const { webServerAddresses: given = process.env.FCGI_WEB_SERVER_ADDRS?.split(',') } = options
  return given === undefined ? null : new Set(given.map((address) => withoutMapping(address.trim())))
}

/** `::ffff:192.0.2.1` is the IPv4 address in it. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}

function listenOptions(text: string): ListenOptions {
  const address = parseAddress(text)
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
}

function listen(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function addressOf(server: Server): string | null {
  const address = server.address()
  if (address === null || typeof address === 'string') return address
  // A unix socket that came as a descriptor has no address that Node knows.
  if (address.port === undefined) return null
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`
}
