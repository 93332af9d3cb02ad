import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Backend, startBackend, startOnFreePort } from '../test/support/backend.ts'
import { privateDirectory } from '../test/support/private-directory.ts'
import { pathOf } from '../test/support/require-backend.ts'

/** nginx before a FastCGI application. */
export interface NginxOptions {
  /** As nginx's `server` of an upstream takes it. */
  readonly upstream: string
  readonly keepAlive: boolean
  readonly root: string
  /** How a command is started; the default leaves it on this process's core. */
  readonly command?: (command: readonly string[]) => readonly string[]
}

/** nginx's own fastcgi_params, and the file. */
const PARAMS = [
  ...['QUERY_STRING query_string', 'REQUEST_METHOD request_method', 'CONTENT_TYPE content_type'],
  ...['CONTENT_LENGTH content_length', 'SCRIPT_NAME fastcgi_script_name', 'REQUEST_URI request_uri'],
  ...['DOCUMENT_URI document_uri', 'DOCUMENT_ROOT document_root', 'SERVER_PROTOCOL server_protocol'],
  ...['REQUEST_SCHEME scheme', 'REMOTE_ADDR remote_addr', 'REMOTE_PORT remote_port', 'SERVER_ADDR server_addr'],
  ...['SERVER_PORT server_port', 'SERVER_NAME server_name'],
].map((pair) => `fastcgi_param ${pair.replace(' ', ' $')};`)

function configuration(directory: string, address: string, options: NginxOptions): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ')
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `${user} daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  ${temporary}
  access_log off;
  keepalive_requests 1000000000;
  upstream application {
    server ${options.upstream};
    ${options.keepAlive ? 'keepalive 64; keepalive_requests 1000000000;' : ''}
  }
  server {
    listen ${address} backlog=4096;
    root ${options.root};
    location ~ \\.php$ {
      ${PARAMS.join('\n      ')}
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param SERVER_SOFTWARE nginx;
      fastcgi_param REDIRECT_STATUS 200;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_keep_conn ${options.keepAlive ? 'on' : 'off'};
      fastcgi_pass application;
    }
  }
}
`
}

/** Starts one with a single worker, on 127.0.0.1. */
export function startNginx(options: NginxOptions): Promise<Backend> {
  return startOnFreePort((port) => {
    const directory = privateDirectory('nginx')
    const address = `127.0.0.1:${port}`
    const file = join(directory.path, 'nginx.conf')
    writeFileSync(file, configuration(directory.path, address, options))
    const plain = [pathOf('nginx'), '-e', 'stderr', '-p', directory.path, '-c', file]
    const [program = '', ...args] = options.command?.(plain) ?? plain
    return startBackend({ file: program, arguments: args, address, directory })
  })
}
