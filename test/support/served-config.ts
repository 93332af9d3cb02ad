import { eventually } from './eventually.ts'
import type { ServeProcess } from './serve-process.ts'

/** A file with one server that answers everything; `more` are lines of the location. */
export function configOf(address: string, more: readonly string[] = []): string {
  return [
    '[FASTCGI_SERVER]',
    '\tServerName one',
    `\tServerPath ${address}`,
    '[FASTCGI_LOCATION]',
    '\tLocationName all',
    '\tServerNames one',
    '\tRoute /{*path}',
    '\tScriptFilename /app',
    '\tKeepAlive On',
    ...more.map((line) => `\t${line}`),
    '',
  ].join('\n')
}

/** One with two mistakes in line 1, and one in line 2. */
export const BROKEN_CONFIG = '[FASTCGI_SERVER]\n\tServerNam one\n'

/** How often a configuration was taken over. */
export function reloadsOf(served: ServeProcess): number {
  return served.output().match(/^Configuration reloaded; /gm)?.length ?? 0
}

/** Resolves when a configuration was taken over so often. */
export async function reloaded(served: ServeProcess, times: number): Promise<void> {
  await eventually(`reload ${times}`, () => reloadsOf(served) >= times)
}
