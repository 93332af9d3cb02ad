import { renameSync } from 'node:fs'
import { createServer, type ListenOptions, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { parseAddress } from '../client/address.ts'
import { openSocket } from '../client/socket.ts'

/** A socket that listens, to be handed to another process. */
export interface ListeningSocket {
  /** Its file descriptor in this process. */
  readonly descriptor: number
  /** Closes it here; whoever has inherited it keeps it, and its path. */
  close(): void
}

/** Longest queue of connections that nobody has accepted; the system may allow less. */
const BACKLOG = 511

/**
 * Listens on a unix socket. Node begins to accept as soon as nobody else does, so this is to be closed at once after it was
 * handed on. libuv removes only the path that it made: the socket gets another one.
 */
export async function listenForOthers(path: string): Promise<ListeningSocket> {
  const made = join(dirname(path), 'new.sock')
  // Exclusive: in a cluster the primary process would listen instead of us.
  const server = await listen({ path: made, backlog: BACKLOG, exclusive: true })
  try {
    renameSync(made, path)
    return { descriptor: descriptorOf(server), close: () => void server.close() }
  } catch (error) {
    server.close()
    throw error
  }
}

/** A port of the loopback interface that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = await listen({ host: '127.0.0.1', port: 0, exclusive: true })
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Whether somebody accepts connections there; a connection attempt of at most `timeout` milliseconds. */
export function accepts(address: string, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    openSocket(parseAddress(address), { timeout }, (error, socket) => {
      socket?.destroy()
      resolve(error === null)
    })
  })
}

function listen(options: ListenOptions): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => resolve(server))
  })
}

/** The number of the listening socket; Node shows it only here. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: number } }
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('This system has no file descriptors of sockets')
  return handle.fd
}
