import { formatAddress, parseAddress } from '../client/address.ts'
import type { ResolvedServer } from './types.ts'

/** As much of a server as matters here. */
type AddressedServer = Pick<ResolvedServer, 'name' | 'address' | 'maxConnections'>

/**
 * What the operator should hear at the start of servers that have one address, once for each such address: what is one backend has
 * the connections of two, and goes down twice.
 */
export function sharedAddressWarnings(servers: readonly AddressedServer[]): readonly string[] {
  const byAddress = new Map<string, AddressedServer[]>()
  for (const server of servers) {
    // One that is started here has an address of its own.
    if (server.address === null) continue
    const address = spelled(server.address)
    byAddress.set(address, [...(byAddress.get(address) ?? []), server])
  }
  return [...byAddress]
    .filter(([, sharing]) => sharing.length > 1)
    .map(([address, sharing]) => warning(address, sharing))
}

/** RFC 4343: case does not count in names of hosts. */
function spelled(address: string): string {
  const parsed = parseAddress(address)
  return parsed.kind === 'unix' ? parsed.path : formatAddress({ ...parsed, host: parsed.host.toLowerCase() })
}

function warning(address: string, sharing: readonly AddressedServer[]): string {
  const names = sharing.map(({ name }) => JSON.stringify(name)).join(' and ')
  const limits = sharing.map(({ maxConnections }) => maxConnections)
  const total = limits.reduce((sum, one) => sum + one, 0)
  return (
    `The servers ${names} have the same address, ${address}. Each keeps to its own maxConnections (${limits.join(' and ')}), so that ` +
    `the backend there may get ${total} connections, and each learns by itself when it is down. Let one server stand for it in all ` +
    'locations, or see that the backend takes as many connections.'
  )
}
