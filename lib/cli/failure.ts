import { FastCgiError } from '../index.ts'

/** What failed and what mends it, for the one who runs us: paths and addresses included. */
export function describeFailure(error: unknown): string {
  if (error instanceof FastCgiError) return error.detail
  return error instanceof Error ? error.message : String(error)
}
