import type { RequestFacts } from '../../cgi/facts.ts'
import type { DecodedPath } from '../../cgi/path.ts'
import { quoted } from '../../cgi/quotation.ts'
import { splitScript } from '../../cgi/script.ts'
import { sourceText, staticReadings } from '../../cgi/script-source.ts'
import { FastCgiError } from '../../errors.ts'
import type { ScriptSite } from './site.ts'

/**
 * Refuses a request that is about to be passed on, if express.static over one of the roots would find a script's file
 * under its path, in whatever spelling: the source must not be served as text.
 * @throws FastCgiError ERR_FCGI_SCRIPT_HIDDEN
 */
export async function refuseSource(
  facts: RequestFacts,
  path: DecodedPath,
  sites: readonly ScriptSite<unknown>[],
): Promise<void> {
  for (const reading of staticReadings(facts.path, path)) {
    const text = sourceText(reading)
    for (const site of sites) {
      if (site.source.test(text) && (await namesSource(reading, path, site))) throw hidden(facts)
    }
  }
}

async function namesSource(reading: string, path: DecodedPath, site: ScriptSite<unknown>): Promise<boolean> {
  // The backend's disks are not ours to look at, so an odd spelling is refused by its look.
  const isOdd = path.unsafe || splitScript(reading, site.extensions) === null
  if (!site.checkLocal && isOdd) return true
  const kind = await site.files.kind(reading.replace(/\/+$/, ''))
  return kind === 'file' || kind === 'other'
}

function hidden(facts: RequestFacts): FastCgiError {
  return new FastCgiError('ERR_FCGI_SCRIPT_HIDDEN', {
    detail:
      `${quoted(facts.mount + facts.path)} names a script's file but no location of ${quoted(facts.serverName)} runs it: it is ` +
      'refused, since express.static would send its source. Let a Match take it, or move the file out of the root; ' +
      'where hosts have roots of their own, let one handler have the locations of all of them.',
  })
}
