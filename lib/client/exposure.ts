import { BlockList, isIP } from 'node:net'
import { formatAddress, parseAddress } from './address.ts'

/** What {@link exposureWarning} needs of a server. */
export interface ExposedServer {
  readonly name: string
  /** Null: it is started here, on a socket of its own. */
  readonly address: string | null
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/**
 * What the operator should hear at the start about a server that other machines may reach, or null. FastCGI knows neither
 * passwords nor encryption: who can connect to a php-fpm runs code there, by PHP_VALUE's auto_prepend_file for one.
 * @throws OptionError for what is no address
 */
export function exposureWarning({ name, address }: ExposedServer): string | null {
  if (address === null) return null
  const parsed = parseAddress(address)
  if (parsed.kind === 'unix' || isLoopback(parsed.host)) return null
  return (
    `The server ${JSON.stringify(name)} is reached over TCP at ${formatAddress(parsed)}, which is not loopback. FastCGI has no ` +
    'password and no encryption: whoever reaches that port runs code there. Let only this machine reach it ' +
    '(a private network or a firewall, listen.allowed_clients for php-fpm), or use a unix socket.'
  )
}

/** RFC 6761 section 6.3: `localhost` and names below it are loopback. `0.0.0.0` and `::` listen everywhere, so they are not. */
function isLoopback(host: string): boolean {
  const family = isIP(host)
  // A BlockList finds v4-mapped addresses under the rules for IPv4.
  if (family !== 0) return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6')
  return /^(?:.*\.)?localhost\.?$/i.test(host)
}
