import { exposureWarning } from '../client/exposure.ts'
import { backtrackingWarning } from '../routing/backtracking.ts'
import { sharedAddressWarnings } from './shared-address.ts'
import type { ResolvedOptions } from './types.ts'

/**
 * What the operator should hear of options that are in order and yet dangerous: a backend over TCP that other machines may reach,
 * servers with one address, a pattern that one request can keep busy for ever. `fastcgi()` says them to the log, `express-fastcgi check` prints them.
 */
export function optionWarnings({
  servers,
  locations,
}: Pick<ResolvedOptions, 'servers' | 'locations'>): readonly string[] {
  const warnings = [
    ...servers.map(exposureWarning),
    ...sharedAddressWarnings(servers),
    ...locations.map(backtrackingWarning),
  ]
  return warnings.filter((warning) => warning !== null)
}
