import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type PrivateDirectory, privateDirectory } from './private-directory.ts'

/** The program as `npm run build` made it: its threads cannot be TypeScript. */
export const embeddedProgram: string = fileURLToPath(new URL('../../dist/embedded/main.js', import.meta.url))

/** A running embedded PHP, whose listening socket was its file descriptor 0. */
export interface EmbeddedPhp {
  /** `host:port`. */
  readonly address: string
  /** Its TMPDIR. */
  readonly directory: string
  readonly child: ChildProcess
  /** What it wrote to stdout and stderr. */
  log(): string
  /** Names in its TMPDIR that are its own. */
  leftovers(): readonly string[]
  /** Resolves with its exit code. */
  readonly exited: Promise<number | null>
  stop(): Promise<void>
}

/** The listening socket, without the server of ours around it. */
async function listeningSocket(): Promise<{ server: Server; fd: number; port: number }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle
  return { server, fd, port: (server.address() as AddressInfo).port }
}

/** Starts the program as a process manager does. */
export async function startEmbeddedPhp(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<EmbeddedPhp> {
  if (!existsSync(embeddedProgram)) throw new Error('npm run build comes first: there is no dist/embedded/main.js')
  const place: PrivateDirectory = privateDirectory('wasm')
  const { server, fd, port } = await listeningSocket()
  const child = spawn(process.execPath, [embeddedProgram, ...args], {
    stdio: [fd, 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, TMPDIR: place.path, ...environment },
    detached: true,
  })
  if (child.pid !== undefined) place.adopt(child.pid)
  // Two that accept would share the connections.
  server.close()
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return {
    address: `127.0.0.1:${port}`,
    directory: place.path,
    child,
    log: () => log,
    leftovers: () => readdirSync(place.path).filter((name) => name.startsWith('express-fastcgi-')),
    exited,
    async stop() {
      child.kill('SIGKILL')
      await exited
      place.remove()
    },
  }
}
