import { SERVER_SOFTWARE } from '../cgi/environment.ts'

/** What a health check asks for: one of both is given. */
export interface HealthPage {
  /** php-fpm's `ping.path`. */
  readonly ping: string | null
  /** A script, as the backend knows its path. */
  readonly script: string | null
}

/** The variables of a health check, as byte strings: a GET that nobody but us has sent. */
export function checkParams({ ping, script }: HealthPage): ReadonlyMap<string, string> {
  const file = script ?? ping ?? '/'
  // The backend may have another system's paths.
  const slash = Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\'))
  const name = script === null ? file : `/${file.slice(slash + 1)}`
  const params = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE,
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    REMOTE_ADDR: '127.0.0.1',
    REDIRECT_STATUS: '200',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: uriOf(name),
    QUERY_STRING: '',
    DOCUMENT_URI: name,
    SCRIPT_NAME: name,
    SCRIPT_FILENAME: file,
    ...(script !== null && slash > 0 && { DOCUMENT_ROOT: file.slice(0, slash) }),
    HTTP_USER_AGENT: `${SERVER_SOFTWARE} health check`,
  }
  return new Map(Object.entries(params).map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('latin1')]))
}

/** Through bytes, as encodeURI throws at half a surrogate pair. */
function uriOf(path: string): string {
  return encodeURI(Buffer.from(path, 'utf8').toString('utf8'))
}
