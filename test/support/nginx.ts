import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Backend, startBackend, startOnFreePort } from './backend.ts'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** A site for nginx: everything between the braces of `server`, but listen and server_name. */
export interface NginxOptions {
  readonly server: string
}

function configuration(directory: string, address: string, server: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ')
  // Workers of a root master run as nobody, who may not enter the private directories.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `${user} daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  ${temporary}
  access_log off;
  default_type text/plain;
  server { listen ${address}; server_name 127.0.0.1; ${server} }
}
`
}

/** Starts an nginx of our own: what its users see is the measure of ours. */
export function startNginx(options: NginxOptions): Promise<Backend> {
  return startOnFreePort((port) => {
    const directory = privateDirectory('nginx')
    const address = `127.0.0.1:${port}`
    const file = join(directory.path, 'nginx.conf')
    // `include fastcgi_params` looks beside the configuration.
    cpSync('/etc/nginx/fastcgi_params', join(directory.path, 'fastcgi_params'))
    writeFileSync(file, configuration(directory.path, address, options.server))
    return startBackend({
      file: pathOf('nginx'),
      arguments: ['-e', 'stderr', '-p', directory.path, '-c', file],
      address,
      directory,
    })
  })
}
