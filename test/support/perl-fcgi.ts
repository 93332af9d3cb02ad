import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Backend, startBackend } from './backend.ts'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** Starts test/fixtures/fcgi/echo.pl, which opens its own unix socket with FCGI::OpenSocket. */
export function startPerlFcgi(): Promise<Backend> {
  const directory = privateDirectory('perl')
  const address = join(directory.path, 'perl.sock')
  const script = fileURLToPath(new URL('../fixtures/fcgi/echo.pl', import.meta.url))
  return startBackend({ file: pathOf('perl'), arguments: [script, address], address, directory })
}
