import { isIP } from 'node:net'

/** Who may say X-Forwarded-*: proxy-addr's and Express's form; hop 0 is the peer. */
export type TrustFunction = (address: string, hop: number) => boolean

/** An IPv4 address that came in IPv6's clothes (RFC 4291 section 2.5.5.2), plain. */
export function unmapAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/**
 * The address nearest to the client that a trusted hop vouches for: X-Forwarded-For from the right, as long as the address
 * so far is trusted. What is no address ends the walk, so that REMOTE_ADDR is always one.
 */
export function clientAddress(peer: string, forwardedFor: string, trust: TrustFunction): string {
  const hops = forwardedFor.split(',').reverse()
  let address = peer
  for (const [hop, entry] of hops.entries()) {
    if (!trust(address, hop)) return address
    const next = addressOf(entry.trim())
    if (next === null) return address
    address = next
  }
  return address
}

/** Some proxies (Azure's) write the port too. */
function addressOf(entry: string): string | null {
  if (isIP(entry) !== 0) return entry
  const [, address = ''] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d+)?$/.exec(entry)?.filter(Boolean) ?? []
  return isIP(address) === 0 ? null : address
}

/** The first of a comma-separated list: what the proxy nearest to the client said. */
export function firstOf(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === 'string' ? value : value?.[0]
  return text?.split(',', 1)[0]?.trim()
}
