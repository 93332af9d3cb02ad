import { dirname } from 'node:path'

/** A request as PHP's SAPI wants it. Strings of the request are byte strings (latin1), paths are real ones. */
export interface PhpRequest {
  /** The file to run. */
  readonly script: string
  /** The working directory: the script's, as in CGI. */
  readonly directory: string
  readonly method: string
  readonly query: string
  readonly contentType: string | null
  /** Bytes of STDIN that are the body; 0 where the request has no CONTENT_LENGTH (RFC 3875 section 4.1.2). */
  readonly contentLength: number
  readonly cookies: string | null
  /** `$_SERVER`, beyond what PHP adds itself (argv, REQUEST_TIME). */
  readonly variables: readonly (readonly [name: string, value: string])[]
}

/** What the parameters of a FastCGI request ask of PHP. A request without SCRIPT_FILENAME has an empty `script`. */
export function phpRequest(params: ReadonlyMap<string, string>): PhpRequest {
  const script = Buffer.from(params.get('SCRIPT_FILENAME') ?? '', 'latin1').toString('utf8')
  const length = params.get('CONTENT_LENGTH') ?? ''
  return {
    script,
    directory: dirname(script),
    method: params.get('REQUEST_METHOD') ?? 'GET',
    query: params.get('QUERY_STRING') ?? '',
    contentType: params.get('CONTENT_TYPE') ?? null,
    contentLength: /^\d{1,15}$/.test(length) ? Number(length) : 0,
    cookies: params.get('HTTP_COOKIE') ?? null,
    variables: serverVariables(params),
  }
}

/** The parameters as they came, and what php-fpm adds to them. */
function serverVariables(params: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  const added = new Map([
    ['FCGI_ROLE', 'RESPONDER'],
    ['PHP_SELF', (params.get('SCRIPT_NAME') ?? '') + (params.get('PATH_INFO') ?? '')],
    ...credentials(params.get('HTTP_AUTHORIZATION') ?? ''),
  ])
  return [...params, ...[...added].filter(([name]) => !params.has(name))]
}

/** RFC 7617 section 2 and RFC 7616 section 3.4, as `$_SERVER` has them. */
function credentials(authorization: string): readonly (readonly [string, string])[] {
  const [, scheme = '', rest = ''] = /^(\w+) +(.*)$/.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'digest') return [['PHP_AUTH_DIGEST', rest]]
  if (scheme.toLowerCase() !== 'basic') return []
  const pair = Buffer.from(rest, 'base64').toString('latin1')
  const colon = pair.indexOf(':')
  if (colon === -1) return []
  return [
    ['PHP_AUTH_USER', pair.slice(0, colon)],
    ['PHP_AUTH_PW', pair.slice(colon + 1)],
  ]
}
