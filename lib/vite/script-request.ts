import { existsSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { decodePath } from '../cgi/path.ts'
import { sourcePattern, sourceText } from '../cgi/script-source.ts'
import { FastCgiError } from '../errors.ts'
import { requestFacts } from '../http/request/request-facts.ts'
import { Resolver } from '../http/resolution/resolution.ts'
import type { ResolvedOptions } from '../options/types.ts'

/**
 * A test for requests that Vite must not see: those for a script or an index that is there, and whatever could name the source of a
 * script, in any spelling and anywhere (`/@fs/…/config.php`), since Vite would send it as text. Front controllers and single
 * programs do not count: they get what Vite does not have.
 */
export function scriptRequestTest(options: ResolvedOptions): (req: IncomingMessage) => Promise<boolean> {
  const locations = options.locations.filter(({ scriptFilename }) => scriptFilename === null)
  if (locations.length === 0) return async () => false
  const resolver = new Resolver(locations.map((location) => ({ ...location, frontController: null, static: false })))
  const source = sourcePattern(locations.flatMap(({ scriptExtensions }) => scriptExtensions))
  return async (req) => {
    try {
      const facts = requestFacts(req, options.trustProxy)
      if (source.test(sourceText(decodePath(facts.path).path))) return true
      return (await resolver.resolve(facts)).kind !== 'pass'
    } catch (error) {
      // The handler meets the same failure, and answers it.
      if (error instanceof FastCgiError) return true
      throw error
    }
  }
}

/** Behind Vite's handlers `/about` has become `/about.html`, where Vite has such a file: that is Vite's. */
export function isHtmlFile({ url = '' }: IncomingMessage, root: string): boolean {
  const [path = ''] = url.split('?')
  return path.endsWith('.html') && existsSync(join(root, decodePath(path).text))
}
