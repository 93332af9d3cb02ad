import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BackendGroup } from '../backend/group.ts'
import type { RequestFacts } from '../cgi/facts.ts'
import { asFastCgiError, FastCgiError } from '../errors.ts'
import type { ResolvedLocation } from '../options/types.ts'
import { ClientWatch } from './client-watch.ts'
import { type Next, sendFailure, sendPlainPage, sendRedirect } from './failure.ts'
import { describeRequest, type Log, logFailure } from './log.ts'
import { requestFacts } from './request/request-facts.ts'
import type { Resolution, ScriptResolution } from './resolution/resolution.ts'
import { type StaticFile, serveStatic } from './resolution/static-file.ts'
import { ScriptRun } from './script-run.ts'
import { shareShapes } from './shared-shape.ts'

/** What a request is served with. */
export interface Gateway {
  readonly trustProxy: ((address: string, hop: number) => boolean) | null
  readonly log: Log | null
  resolve(facts: RequestFacts): Promise<Resolution<ResolvedLocation>> | Resolution<ResolvedLocation>
  groupOf(location: ResolvedLocation): BackendGroup
}

/** The host's side of a request. */
export interface Hosted {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly next: Next | undefined
}

/** Local redirects that one request may make (RFC 3875 section 6.2.2 says nothing against a loop). */
const MOST_LOCAL_REDIRECTS = 10

/**
 * Serves one request, or hands it on; without `next` what is not served is a 404. `over` is called once, when nothing of ours is needed
 * for it any more. Every failure goes the way that {@link sendFailure} says; thrown is what the host's next handler throws.
 */
export function serve(gateway: Gateway, hosted: Hosted, over: () => void): void {
  new Serving(gateway, hosted, over).begin()
}

/** One request on its way through the steps. What need not wait goes on at once. */
class Serving {
  readonly #gateway: Gateway
  readonly #hosted: Hosted
  readonly #over: () => void
  /** What the client asked for. */
  #facts: RequestFacts | null = null
  #redirects = 0

  constructor(gateway: Gateway, hosted: Hosted, over: () => void) {
    this.#gateway = gateway
    this.#hosted = hosted
    this.#over = over
  }

  begin(): void {
    shareShapes(this.#hosted.req, this.#hosted.res)
    let facts: RequestFacts
    try {
      facts = requestFacts(this.#hosted.req, this.#gateway.trustProxy)
    } catch (error) {
      return this.#fail(error)
    }
    this.#facts = facts
    this.#resolve(facts)
  }

  #resolve(facts: RequestFacts): void {
    let resolution: ReturnType<Gateway['resolve']>
    try {
      resolution = this.#gateway.resolve(facts)
    } catch (error) {
      return this.#fail(error)
    }
    if (!(resolution instanceof Promise)) return this.#follow(resolution, facts)
    resolution.then(
      (found) => this.#follow(found, facts),
      (error) => this.#fail(error),
    )
  }

  #follow(resolution: Resolution<ResolvedLocation>, facts: RequestFacts): void {
    switch (resolution.kind) {
      case 'pass':
        return this.#pass()
      case 'redirect':
        return this.#sendRedirect(resolution.to, facts)
      case 'static':
        return this.#sendStatic(resolution)
      case 'script':
        return this.#run(resolution, facts)
    }
  }

  #sendRedirect(to: string, facts: RequestFacts): void {
    const { res } = this.#hosted
    try {
      if (!res.headersSent) sendRedirect(res, to)
      else
        this.#gateway.log?.warn(`${describeRequest(facts)}: the redirect was dropped: another middleware has answered`)
    } catch (error) {
      // The writeHead of a middleware may throw.
      return this.#fail(error)
    }
    this.#over()
  }

  #sendStatic(file: StaticFile): void {
    sendStatic(this.#hosted, file).then(
      (isThere) => (isThere ? this.#over() : this.#pass()),
      (error) => this.#fail(error),
    )
  }

  #run(resolution: ScriptResolution<ResolvedLocation>, facts: RequestFacts): void {
    const { req, res } = this.#hosted
    const group = this.#gateway.groupOf(resolution.location)
    const request = { req, res, log: this.#gateway.log, group, facts, resolution, hasBody: this.#redirects === 0 }
    new ScriptRun(request, (error, localRedirect) => {
      if (error !== null) this.#fail(error)
      else if (localRedirect === null) this.#over()
      else process.nextTick(() => this.#redirect(facts, localRedirect))
    }).begin()
  }

  /** In a turn of its own, as what follows may be the host's `next`. */
  #redirect(facts: RequestFacts, target: string): void {
    this.#redirects += 1
    let redirected: RequestFacts
    try {
      if (this.#redirects > MOST_LOCAL_REDIRECTS) throw tooManyRedirects(target)
      redirected = redirectedFacts(facts, target)
    } catch (error) {
      return this.#fail(error)
    }
    this.#resolve(redirected)
  }

  /** Not ours. */
  #pass(): void {
    const { res, next } = this.#hosted
    this.#over()
    if (next !== undefined) next()
    else sendPlainPage(res, 404)
  }

  /**
   * In a turn of its own: what the host's error handling throws is not ours, and where Node is about to refuse the rest of a request that
   * it has just handed over, its own answer goes first.
   */
  #fail(thrown: unknown): void {
    const error = asFastCgiError(thrown)
    process.nextTick(() => {
      const { req } = this.#hosted
      logFailure(this.#gateway.log, this.#facts ?? { method: req.method ?? '', target: req.url ?? '' }, error)
      this.#over()
      sendFailure(error, this.#hosted)
    })
  }
}

/** False: there is no such file. */
async function sendStatic({ req, res }: Hosted, file: StaticFile): Promise<boolean> {
  const client = new ClientWatch(req, res)
  try {
    client.check()
    return await serveStatic({ req, res, client }, file)
  } finally {
    client.stop()
  }
}

/** A local redirect is served as a GET of its path, without the body and what described it (RFC 3875 section 6.2.2). */
function redirectedFacts(facts: RequestFacts, redirect: string): RequestFacts {
  const [path = '', ...query] = redirect.split('?')
  if (facts.mount !== '' && path !== facts.mount && !path.startsWith(`${facts.mount}/`)) {
    const detail = `The local redirect to ${redirect} leaves the mount ${facts.mount}`
    throw new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail })
  }
  const { 'content-type': _type, 'content-encoding': _encoding, ...headers } = facts.headers
  return {
    ...facts,
    headers,
    method: facts.method === 'HEAD' ? 'HEAD' : 'GET',
    target: redirect,
    path: path.slice(facts.mount.length) || '/',
    query: query.join('?'),
    atMount: path === facts.mount,
  }
}

function tooManyRedirects(target: string): FastCgiError {
  const detail = `More than ${MOST_LOCAL_REDIRECTS} local redirects, the last to ${target}`
  return new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail })
}
