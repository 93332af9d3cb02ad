import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Backend, startBackend, startOnFreePort } from './backend.ts'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** How the C application is started. */
export interface CFcgiOptions {
  /** Default `unix`. */
  readonly listen?: 'unix' | 'tcp'
}

async function start(listenOn: (directory: string) => string): Promise<Backend> {
  const directory = privateDirectory('c')
  const address = listenOn(directory.path)
  const program = join(directory.path, 'echo')
  const source = fileURLToPath(new URL('../fixtures/fcgi/echo.c', import.meta.url))
  try {
    await promisify(execFile)(pathOf('cc'), ['-O1', '-Wall', '-Werror', '-o', program, source, '-lfcgi'])
  } catch (error) {
    directory.remove()
    throw error
  }
  return startBackend({ file: program, arguments: [address], address, directory })
}

/** Compiles test/fixtures/fcgi/echo.c against libfcgi and starts it; it opens its own socket with FCGX_OpenSocket. */
export function startCFcgi(options: CFcgiOptions = {}): Promise<Backend> {
  if (options.listen === 'tcp') return startOnFreePort((port) => start(() => `127.0.0.1:${port}`))
  return start((directory) => join(directory, 'c.sock'))
}
