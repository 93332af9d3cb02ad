import { renameSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { freePort, socketOptions } from './backend.ts'
import { type PhpFpm, type PhpFpmOptions, startPhpFpm } from './php-fpm.ts'
import { privateDirectory } from './private-directory.ts'

/** Something wrong that listens where a php-fpm should, or nothing. */
export interface BrokenServer extends AsyncDisposable {
  readonly address: string
  /** Connections that it has accepted; null where it cannot say. */
  readonly connections: number | null
  /** Resolves when a php-fpm serves at the address. */
  mend(): Promise<PhpFpm>
}

export type Transport = 'unix' | 'tcp'

/** What is wrong with a {@link BrokenServer}. */
export interface Breakage {
  readonly what: string
  /** The status that a GET gets of it; null: none, as it is sent to another backend. */
  readonly status: number | null
  /** The same where it is known that its processes are started again (`restarts`). */
  readonly statusWithRestarts: number | null
  /** Silence takes its time, wherever it is. */
  readonly transports: readonly Transport[]
  readonly start: (transport: Transport) => Promise<BrokenServer>
}

/** Requests come one by one. */
const MENDED: PhpFpmOptions = { children: 2 }

const BOTH: readonly Transport[] = ['unix', 'tcp']

const SILENT = { status: 504, statusWithRestarts: 504 }
const LOST = { status: 502, statusWithRestarts: null, transports: BOTH }
const STRANGE = { status: 502, statusWithRestarts: 502, transports: BOTH }

export const BREAKAGES: readonly Breakage[] = [
  { what: 'accepts and never answers', ...SILENT, transports: ['unix'], start: treating(() => undefined) },
  { what: 'is stopped by SIGSTOP', ...SILENT, transports: ['tcp'], start: stopped },
  { what: 'refuses', status: null, statusWithRestarts: null, transports: BOTH, start: refusing },
  { what: 'closes at once', ...LOST, start: treating((socket) => socket.destroy()) },
  {
    what: 'closes when it has read something',
    ...LOST,
    start: treating((socket) => socket.once('data', () => socket.destroy())),
  },
  {
    what: 'talks another protocol',
    ...STRANGE,
    start: treating((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
  },
  { what: 'talks garbage', ...STRANGE, start: treating((socket) => socket.write(Buffer.alloc(64, 0xa5))) },
]

interface Place {
  readonly address: string
  remove(): void
}

async function placeFor(transport: Transport): Promise<Place> {
  if (transport === 'tcp') return { address: `127.0.0.1:${await freePort()}`, remove: () => undefined }
  const directory = privateDirectory('broken')
  return { address: join(directory.path, 'php.sock'), remove: () => directory.remove() }
}

/** Listens, and does with every connection what it is told. */
function treating(treat: (socket: Socket) => unknown): Breakage['start'] {
  return (transport) => listen(transport, treat)
}

async function listen(transport: Transport, treat: (socket: Socket) => unknown): Promise<BrokenServer> {
  const place = await placeFor(transport)
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
    treat(socket)
  })
  await new Promise<void>((resolve) => server.listen(socketOptions(place.address), resolve))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return mendable(place, { connections: () => connections, close })
}

/** Nobody listens: on the port, or on a socket whose file was left behind. */
async function refusing(transport: Transport): Promise<BrokenServer> {
  const place = await placeFor(transport)
  if (transport === 'unix') {
    const server = createServer()
    const elsewhere = `${place.address}-elsewhere`
    await new Promise<void>((resolve) => server.listen(elsewhere, resolve))
    renameSync(elsewhere, place.address)
    await new Promise((resolve) => server.close(resolve))
  }
  return mendable(place, { connections: () => 0, close: async () => undefined })
}

interface Listener {
  connections(): number
  close(): Promise<void>
}

function mendable({ address, remove }: Place, listener: Listener): BrokenServer {
  let fpm: PhpFpm | null = null
  return {
    address,
    get connections() {
      return listener.connections()
    },
    async mend() {
      await listener.close()
      fpm = await startPhpFpm({ ...MENDED, address })
      return fpm
    },
    async [Symbol.asyncDispose]() {
      if (fpm === null) await listener.close()
      await fpm?.stop()
      remove()
    },
  }
}

/** A php-fpm for which the kernel accepts: as many as the backlog takes. */
async function stopped(transport: Transport): Promise<BrokenServer> {
  const fpm = await startPhpFpm({ ...MENDED, listen: transport })
  fpm.kill('SIGSTOP')
  return {
    address: fpm.address,
    connections: null,
    async mend() {
      fpm.kill('SIGCONT')
      return fpm
    },
    [Symbol.asyncDispose]: () => fpm.stop(),
  }
}
