import type { RequestFacts } from '../../lib/cgi/facts.ts'
import type { ResolvableLocation } from '../../lib/http/resolution/site.ts'

/** Facts of a plain GET of `url` (path and query), as far as `given` does not say otherwise. */
export function factsOf(url: string, given: Partial<RequestFacts> = {}): RequestFacts {
  const [path = '/', query = ''] = url.split('?')
  const mount = given.mount ?? ''
  return {
    method: 'GET',
    target: `${mount}${url}`,
    path,
    query,
    mount,
    atMount: false,
    protocol: 'HTTP/1.1',
    scheme: 'http',
    host: 'example.com',
    serverName: 'example.com',
    serverPort: '80',
    serverAddress: '127.0.0.1',
    remoteAddress: '192.0.2.7',
    remotePort: '40000',
    headers: {},
    tls: undefined,
    ...given,
  }
}

/** A location as options resolves the short form: PHP under a root. */
export function phpLocation(
  root: string,
  given: Partial<ResolvableLocation> & { readonly name?: string } = {},
): ResolvableLocation & { readonly name: string } {
  return {
    name: 'php',
    match: [/\.php(?:\/|$)/],
    hosts: [],
    root,
    index: ['index.php'],
    frontController: null,
    scriptExtensions: ['.php'],
    checkLocal: true,
    scriptFilename: null,
    symlinks: 'follow',
    resolveRoot: false,
    static: false,
    ...given,
  }
}
