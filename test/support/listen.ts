import type { AddressInfo, Server, Socket } from 'node:net'

/** A server that listens on a free port of 127.0.0.1; disposing of it ends its connections too. */
export interface Listening extends AsyncDisposable {
  readonly port: number
}

/** Starts a server of node:http, node:http2, node:net or node:tls. */
export async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
