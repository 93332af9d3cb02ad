#!/usr/bin/env node
import type { ListenOptions } from 'node:net'
import { parseAddress } from '../client/address.ts'
import { createResponder, type Responder } from '../responder/responder.ts'
import { createApplication } from './application.ts'
import { FileLocks } from './file-locks.ts'
import { loadBuild, type PhpBuild } from './php-build.ts'
import { phpIni } from './php-ini.ts'
import { PhpPool } from './php-pool.ts'
import { PhpThread } from './php-thread.ts'
import { type PrivateDirectory, privateDirectory } from './private-directory.ts'
import { type EmbeddedSettings, parseSettings, USAGE, UsageError } from './settings.ts'

/** FCGI_LISTENSOCK_FILENO; `fd` is Node's, and not in the types. */
const DESCRIPTOR_0: ListenOptions & { readonly fd: number } = { fd: 0 }

/** Milliseconds for requests that were begun to end; then they are cut off. */
const DRAIN_TIME = 10_000

async function run(args: readonly string[]): Promise<void> {
  const settings = parseSettings(args, process.env)
  if (settings === null) {
    process.stdout.write(USAGE)
    return
  }
  if (process.platform === 'win32') throw new Error('The embedded PHP does not know the paths of Windows: take php-cgi')
  const build = await loadBuild()
  const directory = privateDirectory(settings.directory)
  const pool = createPool(settings, build, directory)
  let listening = false
  const responder = createResponder(createApplication(pool), {
    multiplexing: false,
    // What happens before is told by listen().
    onError: (error) => (listening ? log(error) : undefined),
  })
  process.once('exit', () => {
    directory.remove()
    // However we end, the socket's file goes too.
    void responder.close()
  })
  stopOnSignal(responder, pool)
  pool.warm()
  await listen(responder, settings.listen)
  listening = true
}

function createPool(settings: EmbeddedSettings, build: PhpBuild, directory: PrivateDirectory): PhpPool {
  const locks = new FileLocks()
  const ini = phpIni(directory.path, settings.ini)
  return new PhpPool({
    size: settings.workers,
    maxRequests: settings.maxRequests,
    start: () => new PhpThread({ build, ini, locks }),
    onStartFailure: fail,
  })
}

async function listen(responder: Responder, address: string | null): Promise<void> {
  try {
    if (address === null) await responder.listen(DESCRIPTOR_0)
    else await responder.listen(listenOptions(address))
  } catch (error) {
    const where = address ?? 'file descriptor 0, which is to be a listening socket (or give --listen ADDRESS)'
    throw new Error(`Cannot listen on ${where}: ${message(error)}`, { cause: error })
  }
}

function listenOptions(text: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  const address = parseAddress(text)
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
}

/** The first signal finishes what was begun, the second does not; a parent that goes away counts as a signal. */
function stopOnSignal(responder: Responder, pool: PhpPool): void {
  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), DRAIN_TIME)
    await responder.close()
    await pool.close()
    process.exit(0)
  }
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => void stop())
}

function fail(error: unknown): void {
  log(error)
  process.exit(error instanceof UsageError ? 2 : 1)
}

function log(error: unknown): void {
  process.stderr.write(`express-fastcgi embedded PHP: ${message(error)}\n`)
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

run(process.argv.slice(2)).catch(fail)
