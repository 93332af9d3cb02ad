import { exposureWarning } from '../client/exposure.ts'
import { backtrackingWarning } from '../routing/backtracking.ts'
import type { ResolvedOptions } from './types.ts'

/**
 * What the operator should hear of options that are in order and yet dangerous: a backend over TCP that other machines may reach, a
 * pattern that one request can keep busy for ever. `fastcgi()` says them to the log, `express-fastcgi check` prints them.
 */
export function optionWarnings({
  servers,
  locations,
}: Pick<ResolvedOptions, 'servers' | 'locations'>): readonly string[] {
  const warnings = [...servers.map(exposureWarning), ...locations.map(backtrackingWarning)]
  return warnings.filter((warning) => warning !== null)
}
