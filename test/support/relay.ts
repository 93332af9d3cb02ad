import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { socketOptions } from './backend.ts'

/** Stands between a gateway and its backend and sees the connections, which php-fpm itself does not count apart from requests. */
export interface Relay {
  /** For the gateway. */
  readonly address: string
  /** Connections made so far. */
  readonly connections: number
  /** Connections open now. */
  readonly open: number
  close(): Promise<void>
}

/** Starts one in front of a backend's address. */
export function startRelay(backend: string): Promise<Relay> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1
    const onward = connect({ ...socketOptions(backend), allowHalfOpen: true })
    sockets.add(socket)
    socket.pipe(onward).pipe(socket)
    const end = (): void => {
      sockets.delete(socket)
      socket.destroy()
      onward.destroy()
    }
    for (const each of [socket, onward]) each.on('error', end).on('close', end)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve({
        address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
        get connections() {
          return connections
        },
        get open() {
          return sockets.size
        },
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            for (const socket of sockets) socket.destroy()
          }),
      })
    })
  })
}
