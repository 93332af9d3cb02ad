import type { IncomingMessage, ServerResponse } from 'node:http'
import { Exchange } from '../backend/exchange.ts'
import type { BackendGroup } from '../backend/group.ts'
import { applyParams, buildEnvironment, type Environment } from '../cgi/environment.ts'
import type { RequestFacts } from '../cgi/facts.ts'
import { encodeClientRequest } from '../client/encoded-request.ts'
import { asFastCgiError, FastCgiError } from '../errors.ts'
import type { ResolvedLocation } from '../options/types.ts'
import { Answer } from './answer/answer.ts'
import { type RequestBody, receiveBody } from './body/request-body.ts'
import { ClientWatch } from './client-watch.ts'
import { type Next, sendFailure, sendPlainPage, sendRedirect } from './failure.ts'
import { type Log, logFailure } from './log.ts'
import { operatorParams } from './operator-params.ts'
import { requestFacts } from './request/request-facts.ts'
import type { Resolution } from './resolution/resolution.ts'
import { type StaticFile, serveStatic } from './resolution/static-file.ts'
import { RequestTrace } from './trace.ts'

/** What is served by a script. */
type ScriptResolution = Extract<Resolution<ResolvedLocation>, { readonly kind: 'script' }>

/** What a request is served with. */
export interface Gateway {
  readonly trustProxy: ((address: string, hop: number) => boolean) | null
  readonly log: Log | null
  resolve(facts: RequestFacts): Promise<Resolution<ResolvedLocation>> | Resolution<ResolvedLocation>
  groupOf(location: ResolvedLocation): BackendGroup
}

/** The host's side of a request. */
interface Hosted {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly next: Next | undefined
}

/** Local redirects that one request may make (RFC 3875 section 6.2.2 says nothing against a loop). */
const MOST_LOCAL_REDIRECTS = 10

/**
 * Serves one request, or hands it on; without `next` what is not served is a 404. Never rejects: every failure goes the way
 * that {@link sendFailure} says.
 */
export async function serve(gateway: Gateway, hosted: Hosted): Promise<void> {
  const { req, res, next } = hosted
  let facts: RequestFacts | null = null
  try {
    facts = requestFacts(req, gateway.trustProxy)
    const served = await serveFacts(gateway, hosted, facts)
    if (served) return
  } catch (thrown) {
    const error = asFastCgiError(thrown)
    logFailure(gateway.log, facts ?? { method: req.method ?? '', target: req.url ?? '' }, error)
    return sendFailure(error, hosted)
  }
  // Outside of the try: what the next handler throws is its own.
  if (next !== undefined) next()
  else sendPlainPage(res, 404)
}

/** False: not ours. */
async function serveFacts(gateway: Gateway, hosted: Hosted, facts: RequestFacts): Promise<boolean> {
  let current = facts
  for (let redirects = 0; redirects <= MOST_LOCAL_REDIRECTS; redirects += 1) {
    const resolution = await gateway.resolve(current)
    switch (resolution.kind) {
      case 'pass':
        return false
      case 'redirect':
        sendRedirect(hosted.res, resolution.to)
        return true
      case 'static':
        return sendStatic(hosted, resolution)
      case 'script': {
        const redirect = await runScript(gateway, hosted, { facts: current, resolution, hasBody: redirects === 0 })
        if (redirect === null) return true
        current = redirectedFacts(current, redirect)
      }
    }
  }
  const detail = `More than ${MOST_LOCAL_REDIRECTS} local redirects, the last to ${current.target}`
  throw new FastCgiError('ERR_FCGI_BAD_RESPONSE', { detail })
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

/** A request that a script is to answer. */
interface Running {
  readonly facts: RequestFacts
  readonly resolution: ScriptResolution
  /** False after a local redirect, which takes no body along (RFC 3875 section 6.2.2). */
  readonly hasBody: boolean
}

/** Null: answered. Else the path and query of the local redirect that the script asks for. */
async function runScript(
  gateway: Gateway,
  { req, res }: Hosted,
  { facts, resolution, hasBody }: Running,
): Promise<string | null> {
  const { location, script } = resolution
  const watch = new ClientWatch(req, res)
  const trace = new RequestTrace({ req, facts, location: location.name, script: script.scriptFilename })
  let body: RequestBody | null = null
  let answer: Answer | null = null
  try {
    if (hasBody) body = await receiveBody(req, res, location, watch)
    watch.check()
    const params = environmentOf(req, facts, { resolution, body })
    const reuse = location.keepAlive && (body === null || body.length === 0 || location.reuseAfterBody)
    const encoded = encodeClientRequest({ params, stdin: body, keepConnection: reuse })
    const { method, target, remoteAddress: client } = facts
    const logged = { method, target, script: script.scriptFilename }
    answer = new Answer({ request: logged, res, rules: location, log: gateway.log, trace, client: watch })
    const { request } = trace
    const options = { ...location, request, client, encoded, reuse, method, repeatable: body?.repeatable ?? true }
    const exchange = new Exchange(gateway.groupOf(location), options, answer)
    answer.from(exchange)
    watch.onLeave((error) => exchange.cancel(error))
    await exchange.run()
    answer.checkIntercepted()
    trace.end(res.statusCode)
    return answer.localRedirect
  } catch (thrown) {
    const error = asFastCgiError(thrown)
    trace.fail(error)
    throw error
  } finally {
    watch.stop()
    answer?.close()
    body?.close()
  }
}

/** CONTENT_LENGTH is not the operator's to change: STDIN has exactly so many bytes. */
function environmentOf(
  req: IncomingMessage,
  facts: RequestFacts,
  { resolution, body }: { readonly resolution: ScriptResolution; readonly body: RequestBody | null },
): Environment {
  const { location, script, params } = resolution
  const environment = buildEnvironment(facts, script, {
    contentLength: body === null ? null : body.length,
    contentType: body === null ? facts.headers['content-type'] : body.contentType,
    dropContentEncoding: body?.rewritten ?? false,
  })
  if (location.params.size === 0) return environment
  applyParams(environment, operatorParams(location.params, req, params))
  if (body === null) environment.delete('CONTENT_LENGTH')
  else environment.set('CONTENT_LENGTH', String(body.length))
  return environment
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
