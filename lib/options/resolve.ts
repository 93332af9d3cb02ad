import { OptionError } from '../errors.ts'
import { AUTO } from './command.ts'
import { checkKeys, complete, type Given, type Known, pathTo, take } from './given.ts'
import type { Key } from './key.ts'
import { refusal } from './kinds.ts'
import { resolveLogger } from './logger.ts'
import { nearest } from './nearest.ts'
import { gatewayKeys, locationKeys, serverKeys } from './schema.ts'
import type { FastCgiOptions, ResolvedLocation, ResolvedOptions, ResolvedServer } from './types.ts'

const { name: _name, servers: _servers, ...settingKeys } = locationKeys

const TOP_LEVEL: Known = {
  tables: [settingKeys, gatewayKeys],
  others: ['server', 'servers', 'locations', 'logger'],
}

/** The name of the only server in the short form. */
const ONLY_SERVER = 'default'

/**
 * Checks the options of `fastcgi()` and completes them; a location's key at the top level is the default of every
 * location.
 * What the caller gave is never changed, and later changes of it do not reach the result.
 * @throws OptionError naming the key, what was given and what is allowed
 */
export function resolveOptions(options: FastCgiOptions): ResolvedOptions {
  const given = checkKeys(options, '', TOP_LEVEL)
  const { logger } = given.values
  // Also a default that every location replaces must be right.
  for (const [option, key] of Object.entries<Key<unknown>>(settingKeys)) take(given, option, key)
  const servers = resolveServers(given)
  const workers = take(given, 'workers', gatewayKeys.workers) ?? null
  if (workers !== null) checkShares(workers, servers)
  return Object.freeze({
    servers,
    locations: resolveLocations(given, servers),
    trustProxy: take(given, 'trustProxy', gatewayKeys.trustProxy) ?? gatewayKeys.trustProxy.absent ?? null,
    logger: resolveLogger(logger),
    workers,
  })
}

function resolveServers({ values: { server, servers } }: Given): readonly ResolvedServer[] {
  if (server !== undefined && servers !== undefined) {
    throw new OptionError('server: give either server, the short form, or servers, not both')
  }
  if (servers === undefined) return Object.freeze([resolveServer(shortServer(server ?? AUTO), 'server')])
  const list = listOfObjects(servers, 'servers')
  if (list.length === 0) {
    throw new OptionError(
      'servers: the list is empty; give a server: { name, address } where one runs, { name, command } to start one, ' +
        'or leave it out to start whatever PHP there is',
    )
  }
  const resolved = list.map((one, index) => resolveServer(one, `servers[${index}]`))
  const names = new Map<string, number>()
  for (const [index, { name }] of resolved.entries()) {
    const first = names.get(name)
    if (first !== undefined) throw new OptionError(`servers[${index}].name: "${name}" is servers[${first}] already`)
    names.set(name, index)
  }
  return Object.freeze(resolved)
}

function shortServer(server: unknown): unknown {
  if (server === AUTO) return { name: ONLY_SERVER, command: AUTO }
  if (typeof server === 'string') return { name: ONLY_SERVER, address: server }
  return typeof server === 'object' && server !== null && !Array.isArray(server)
    ? { name: ONLY_SERVER, ...server }
    : server
}

function resolveServer(server: unknown, path: string): ResolvedServer {
  const given = checkKeys(server, path, { tables: [serverKeys], others: [] })
  const whole = complete<ResolvedServer>(serverKeys, [given])
  const { address, command, processes } = whole
  if (address === null && command === null) {
    const allowed = `give ${serverKeys.address.kind.allowed}, or command to start the backend here`
    throw new OptionError(`${pathTo(path, 'address')} is required; ${allowed}`)
  }
  if (address !== null && command !== null) {
    const allowed = 'give address for a backend that runs already, command for one to be started here'
    throw new OptionError(`${pathTo(path, 'command')}: there is an address too; ${allowed}`)
  }
  if (processes !== null && command === null) {
    throw new OptionError(
      `${pathTo(path, 'processes')}: only a server with a command has processes of ours; leave it out`,
    )
  }
  return whole
}

/** Each process needs a connection to each server; a backend that is started here is each process's own. */
function checkShares(workers: number, servers: readonly ResolvedServer[]): void {
  for (const { name, address, maxConnections } of servers) {
    if (address === null || workers <= maxConnections) continue
    throw new OptionError(
      `workers: ${workers} processes share the server "${name}" with maxConnections ${maxConnections}, and some would get none; ` +
        `give it maxConnections of ${workers} or more, or run fewer processes`,
    )
  }
}

function resolveLocations(given: Given, servers: readonly ResolvedServer[]): readonly ResolvedLocation[] {
  const { locations } = given.values
  const list = listOfObjects(locations ?? [{}], 'locations')
  if (list.length === 0) throw new OptionError('locations: the list is empty; leave it out to serve PHP under root')
  const defaults = defaultsOf(given)
  let unnamed = 0
  const resolved = list.map((one, index) => {
    const location = checkKeys(one, locations === undefined ? '' : `locations[${index}]`, {
      tables: [locationKeys],
      others: [],
    })
    const made = { name: `location_${unnamed}`, servers: Object.freeze(servers.map(({ name }) => name)) }
    if (!Object.hasOwn(location.values, 'name')) unnamed += 1
    const whole = complete<ResolvedLocation>(locationKeys, [location, defaults], made)
    checkServers(whole, location, servers)
    checkRoot(whole, location)
    return whole
  })
  return Object.freeze(resolved)
}

/** The top level as the defaults of a location: `servers` means something else there. */
function defaultsOf({ path, values: { servers, ...values } }: Given): Given {
  return { path, values }
}

function checkServers(location: ResolvedLocation, { path }: Given, servers: readonly ResolvedServer[]): void {
  const known = servers.map(({ name }) => name)
  for (const name of location.servers) {
    if (known.includes(name)) continue
    const near = nearest(
      name,
      known.map((one) => [one, one] as const),
    )
    const hint = near === undefined ? `the servers are ${known.join(', ')}` : `did you mean ${near}?`
    throw new OptionError(`${pathTo(path, 'servers')}: there is no server "${name}"; ${hint}`)
  }
  const used = servers.filter(({ name }) => location.servers.includes(name))
  if (used.every(({ backup }) => backup)) {
    throw new OptionError(
      `${pathTo(path, 'servers')}: every server of the location "${location.name}" is a backup (${listed(used)}), which serves ` +
        'only while no other is up; leave backup out of one of them',
    )
  }
}

function listed(servers: readonly ResolvedServer[]): string {
  return servers.map(({ name }) => name).join(', ')
}

function checkRoot({ name, root, scriptFilename, checkLocal }: ResolvedLocation, { path }: Given): void {
  if (root !== null || scriptFilename !== null) return
  const whose = checkLocal ? 'the folder with the scripts' : 'the folder with the scripts as the backend sees it'
  throw new OptionError(
    `${pathTo(path, 'root')}: the location "${name}" has no document root; give root in JavaScript or DocumentRoot in a file ` +
      `(${whose}), or scriptFilename for one program`,
  )
}

function listOfObjects(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw refusal(path, value, 'an array of objects')
  return value
}
