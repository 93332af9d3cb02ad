import { join } from 'node:path'
import { type Backend, startBackend } from './backend.ts'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** Starts fcgiwrap on a private unix socket; it runs the CGI program named by SCRIPT_FILENAME. */
export function startFcgiwrap(options: { readonly children?: number } = {}): Promise<Backend> {
  const directory = privateDirectory('wrap')
  const address = join(directory.path, 'wrap.sock')
  return startBackend({
    file: pathOf('fcgiwrap'),
    arguments: ['-c', String(options.children ?? 2), '-f', '-s', `unix:${address}`],
    address,
    directory,
  })
}
