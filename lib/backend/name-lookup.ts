import { ADDRCONFIG } from 'node:dns'
import { lookup, Resolver } from 'node:dns/promises'
import { BlockList } from 'node:net'
import { type Address, formatAddress } from '../client/address.ts'
import { FastCgiError } from '../errors.ts'

/** An address as the DNS has it, with the seconds for which that may be believed. */
export interface NameRecord {
  readonly address: string
  readonly ttl: number
}

/** One question about a host name, under way. */
export interface NameLookup {
  /** The IP addresses, the system's preference first. @throws Node's system error */
  readonly addresses: Promise<readonly string[]>
  /** What the DNS alone knows of it: nothing, if the system has the name from elsewhere. Never rejects. */
  readonly records: Promise<readonly NameRecord[]>
  /** Gives up what can be given up: getaddrinfo(3) cannot, it ends by itself. */
  cancel(): void
}

/** Milliseconds for the DNS to tell a TTL; without one the name is asked again soon enough. */
const RECORDS_TIMEOUT = 1000

/** As net.connect() asks: no address of a family that this machine has none of. */
const HINTS = process.platform === 'win32' ? 0 : ADDRCONFIG

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether an IP address leads back to this machine. */
export function isLoopback(address: string): boolean {
  return loopback.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}

/**
 * Asks the operating system, so that /etc/hosts, nsswitch.conf and search domains count. That tells no TTL: the DNS is asked beside
 * it. The Resolver is made for one question, as it reads resolv.conf but once and its sockets must not stay.
 */
export function lookUpName(host: string): NameLookup {
  const resolver = new Resolver({ timeout: RECORDS_TIMEOUT, tries: 1 })
  return {
    addresses: systemAddresses(host),
    records: dnsRecords(resolver, host),
    cancel: () => resolver.cancel(),
  }
}

async function systemAddresses(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, hints: HINTS })
  return found.map(({ address }) => address)
}

async function dnsRecords(resolver: Resolver, host: string): Promise<readonly NameRecord[]> {
  const answers = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ])
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}

/** Why a look-up brought no address, and what mends it; `kept` are those that stay in use meanwhile. */
export function unresolvedError(thrown: unknown, address: Address, kept: readonly Address[]): FastCgiError {
  const stays = kept.length === 0 ? '' : `. Its last addresses stay in use: ${kept.map(formatAddress).join(', ')}`
  const detail = explain(thrown, formatAddress(address)) + stays
  return new FastCgiError('ERR_FCGI_CONNECT', { detail, cause: thrown })
}

function explain(thrown: unknown, at: string): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  switch (code) {
    case 'ENOTFOUND':
      return (
        `The host name of ${at} has no address (ENOTFOUND): correct it, or start what it names ` +
        '(a container that is stopped and a Kubernetes service without ready pods have none)'
      )
    case 'EAI_AGAIN':
      return (
        `The host name of ${at} cannot be resolved now (EAI_AGAIN), as no name server answered: ` +
        'look after the network and the servers in /etc/resolv.conf'
      )
    default:
      return `The host name of ${at} cannot be resolved: ${(thrown instanceof Error && thrown.message) || code || String(thrown)}`
  }
}
