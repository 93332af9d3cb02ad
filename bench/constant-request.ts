// By hand, not with lib/protocol: the floor is to stay where it is while the package changes.
import type { LoadCase } from './cases.ts'
import { headersOf, SCRIPT } from './http-request.ts'

const BEGIN_REQUEST = 1
const PARAMS = 4
const RESPONDER = 1
const KEEP_CONN = 1

function record(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]), content])
}

/** FastCGI 1.0 section 3.4: a length above 127 takes four bytes. */
function encodeLength(length: number): Buffer {
  if (length < 128) return Buffer.from([length])
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE((length | 0x80000000) >>> 0)
  return bytes
}

function encodePair([name, value]: readonly [name: string, value: string]): Buffer {
  const text = Buffer.from(name + value, 'latin1')
  return Buffer.concat([encodeLength(name.length), encodeLength(value.length), text])
}

/** About what the gateway sends for the same request, so that the floor's backend has the same to read. */
function environment(load: LoadCase, root: string): readonly (readonly [name: string, value: string])[] {
  const body = load.body === 'small'
  return [
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_SOFTWARE', 'express-fastcgi'],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['SERVER_NAME', 'www.example.com'],
    ['SERVER_ADDR', '127.0.0.1'],
    ['SERVER_PORT', '80'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['REMOTE_PORT', '50000'],
    ['REQUEST_SCHEME', 'http'],
    ['REQUEST_METHOD', body ? 'POST' : 'GET'],
    ['REQUEST_URI', SCRIPT],
    ['DOCUMENT_URI', SCRIPT],
    ['DOCUMENT_ROOT', root],
    ['SCRIPT_NAME', SCRIPT],
    ['SCRIPT_FILENAME', `${root}${SCRIPT}`],
    ['QUERY_STRING', ''],
    ['REDIRECT_STATUS', '200'],
    ...(body ? [['CONTENT_LENGTH', '1024'] as const, ['CONTENT_TYPE', 'application/octet-stream'] as const] : []),
    ...headersOf(load.headers).map(
      ([name, value]) => [`HTTP_${name.toUpperCase().replace(/-/g, '_')}`, value] as const,
    ),
  ]
}

/** The floor's request up to its STDIN: FCGI_BEGIN_REQUEST and FCGI_PARAMS. */
export function constantRequest(load: LoadCase, { root, keepAlive }: { root: string; keepAlive: boolean }): Buffer {
  return Buffer.concat([
    record(BEGIN_REQUEST, Buffer.from([0, RESPONDER, keepAlive ? KEEP_CONN : 0, 0, 0, 0, 0, 0])),
    record(PARAMS, Buffer.concat(environment(load, root).map(encodePair))),
    record(PARAMS, Buffer.alloc(0)),
  ])
}
