import { OptionError } from '../errors.ts'

/** Where a FastCGI application listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** Bytes that sun_path has room for on Linux, less the final NUL; macOS has 103. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

const ALLOWED = 'give host:port, [v6]:port (port 1 to 65535) or the path of a unix socket'

/**
 * Parses `host:port`, `[v6]:port`, or the path of a unix socket (with a slash in it; `unix:` in front is taken too).
 * @throws OptionError that says what is allowed
 */
export function parseAddress(text: string): Address {
  if (/^(?!unix:)[a-z]+:\/\//i.test(text))
    throw new OptionError(`The address ${JSON.stringify(text)} is a URL: ${ALLOWED}`)
  const path = text.startsWith('unix:') ? text.slice('unix:'.length) : text
  if (path !== text || /[/\\]/.test(text)) return unixAddress(path)
  const parts = /^(?:\[(?<v6>[0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|(?<host>[^\s:[\]]+)):(?<port>\d{1,5})$/.exec(text)?.groups
  const host = parts?.v6 ?? parts?.host
  const port = Number(parts?.port)
  if (host === undefined || port < 1 || port > 65_535) {
    throw new OptionError(`The address ${JSON.stringify(text)} is none: ${ALLOWED}`)
  }
  return { kind: 'tcp', host, port }
}

function unixAddress(path: string): Address {
  const bytes = Buffer.byteLength(path)
  if (bytes > 0 && bytes <= MAX_SOCKET_PATH && !path.includes('\0')) return { kind: 'unix', path }
  const detail = bytes > MAX_SOCKET_PATH ? `has ${bytes} bytes, the system allows ${MAX_SOCKET_PATH}` : 'is none'
  throw new OptionError(`The path of the unix socket ${JSON.stringify(path)} ${detail}`)
}

/** The address as configuration and messages write it. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
