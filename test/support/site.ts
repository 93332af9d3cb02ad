import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'

/** An HTTP server of the test itself. */
export interface Site {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Destroys what is still open. */
  close(): Promise<void>
}

/** Serves a handler on a port of 127.0.0.1. */
export function listen(handler: RequestListener): Promise<Site> {
  const server = createServer(handler)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      resolve({ url: `http://127.0.0.1:${port}`, port, server, close: () => close(server) })
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** Writes these bytes to a port of 127.0.0.1 and gives all that came back until the other end closed. */
export function rawRequest(port: number, bytes: string | Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('close', () => resolve(Buffer.concat(chunks)))
    socket.once('connect', () => socket.write(bytes))
  })
}
