import { BlockList, isIP } from 'node:net'
import { type Kind, refusal } from './kinds.ts'
import type { ResolvedOptions } from './types.ts'
import { parseCount, parseFlag } from './values.ts'

type Trust = NonNullable<ResolvedOptions['trustProxy']>

/** The names that proxy-addr knows, hence Express's `trust proxy`. */
const NAMED_NETWORKS: ReadonlyMap<string, readonly string[]> = new Map([
  ['loopback', ['127.0.0.1/8', '::1/128']],
  ['linklocal', ['169.254.0.0/16', 'fe80::/10']],
  ['uniquelocal', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']],
])

/** Who may say `X-Forwarded-*`, in every form that Express takes. */
export const trustProxy: Kind<Trust | null> = {
  allowed:
    'On, Off, a number of hops, addresses and networks such as 10.0.0.0/8, loopback, linklocal, uniquelocal; in JavaScript also a function',
  isList: true,
  read: (text) => parseFlag(text) ?? parseCount(text) ?? networksIn(text),
  resolve(value, key) {
    if (typeof value === 'function') return value as Trust
    if (typeof value === 'boolean') return () => value
    const hops = typeof value === 'string' ? parseCount(value) : value
    if (typeof hops === 'number') return trustHops(hops, key)
    const list = typeof value === 'string' ? networksIn(value) : value
    if (!Array.isArray(list)) throw refusal(key, value, trustProxy.allowed)
    return trustNetworks(list, key)
  },
}

function networksIn(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((network) => network !== '')
}

function trustHops(hops: number, key: string): Trust {
  if (!Number.isSafeInteger(hops) || hops < 0) throw refusal(key, hops, 'a whole number of hops from 0 on')
  return (_address, hop) => hop < hops
}

function trustNetworks(list: readonly unknown[], key: string): Trust {
  const trusted = new BlockList()
  for (const entry of list) {
    const networks = (typeof entry === 'string' && NAMED_NETWORKS.get(entry)) || [entry]
    for (const network of networks) {
      if (typeof network !== 'string' || !addNetwork(trusted, network)) throw refusal(key, entry, trustProxy.allowed)
    }
  }
  return (address) => {
    const family = isIP(address)
    // A BlockList finds v4-mapped addresses under the rules for IPv4.
    return family !== 0 && trusted.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

function addNetwork(trusted: BlockList, network: string): boolean {
  const [address = '', range, ...rest] = network.split('/')
  const family = isIP(address)
  if (family === 0 || address.includes('%') || rest.length > 0) return false
  const bits = family === 4 ? 32 : 128
  const prefix = range === undefined ? bits : prefixOf(range)
  // A prefix of 0 trusts everyone: proxy-addr refuses it too, `true` says it plainly.
  if (prefix === undefined || prefix === 0 || prefix > bits) return false
  trusted.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  return true
}

/** The length of a network's prefix, also from a netmask such as 255.255.0.0. */
function prefixOf(range: string): number | undefined {
  if (isIP(range) !== 4) return parseCount(range)
  const bits = range
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('')
  return /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined
}
