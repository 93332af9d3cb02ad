import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Exchange } from '../backend/exchange.ts'
import type { BackendGroup } from '../backend/group.ts'
import { applyParams, type BodyFacts, buildEnvironment, forEachVariable } from '../cgi/environment.ts'
import type { RequestFacts } from '../cgi/facts.ts'
import { encodeClientRequest } from '../client/encoded-request.ts'
import { asFastCgiError, type FastCgiError } from '../errors.ts'
import type { ResolvedLocation } from '../options/types.ts'
import type { Parameters } from '../protocol/pair-text.ts'
import { Answer } from './answer/answer.ts'
import { type RequestBody, receiveBody } from './body/request-body.ts'
import { ClientWatch } from './client-watch.ts'
import type { Log } from './log.ts'
import { operatorParams } from './operator-params.ts'
import type { ScriptResolution } from './resolution/resolution.ts'
import { RequestTrace } from './trace.ts'

/** A request that a script is to answer. */
export interface ScriptRequest {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly log: Log | null
  readonly group: BackendGroup
  readonly facts: RequestFacts
  readonly resolution: ScriptResolution<ResolvedLocation>
  /** False after a local redirect, which takes no body along (RFC 3875 section 6.2.2). */
  readonly hasBody: boolean
}

/** Told once how a run has ended: with an error, or with the path and query of a local redirect that the script asks for, or well. */
export type ScriptRunDone = (error: FastCgiError | null, localRedirect: string | null) => void

/** One run of a script for a client: its body in, its answer out. What need not wait goes on at once. */
export class ScriptRun {
  readonly #request: ScriptRequest
  /** The host's: what ends an exchange may be a connection that was opened for somebody else. */
  readonly #context: AsyncResource = new AsyncResource('express-fastcgi')
  #done: ScriptRunDone | null
  readonly #watch: ClientWatch
  readonly #trace: RequestTrace
  #body: RequestBody | null = null
  #answer: Answer | null = null

  constructor(request: ScriptRequest, done: ScriptRunDone) {
    this.#request = request
    this.#done = done
    this.#watch = new ClientWatch(request.req, request.res)
    this.#trace = new RequestTrace(request)
  }

  begin(): void {
    const { req, res, resolution, hasBody } = this.#request
    try {
      const body = hasBody ? receiveBody(req, res, resolution.location, this.#watch) : null
      if (body instanceof Promise) body.then((received) => this.#send(received)).catch((error) => this.#fail(error))
      else this.#send(body)
    } catch (error) {
      this.#fail(error)
    }
  }

  #send(body: RequestBody | null): void {
    this.#body = body
    this.#watch.check()
    const { group, facts, resolution } = this.#request
    const { location } = resolution
    const reuse = location.keepAlive && (body === null || body.length === 0 || location.reuseAfterBody)
    const params = parametersOf(this.#request, body)
    const encoded = encodeClientRequest({ params, stdin: body, keepConnection: reuse })
    const answer = this.#createAnswer()
    const options = {
      limits: location,
      request: this.#trace.request,
      client: facts.remoteAddress,
      encoded,
      reuse,
      method: facts.method,
      repeatable: body === null || body.repeatable,
    }
    const exchange = new Exchange(group, options, answer)
    answer.from(exchange)
    this.#watch.onLeave((error) => exchange.cancel(error))
    exchange.run((error) => this.#context.runInAsyncScope(this.#exchanged, this, error))
  }

  #createAnswer(): Answer {
    const { res, log, facts, resolution } = this.#request
    this.#answer = new Answer({
      request: { method: facts.method, target: facts.target, script: resolution.script.scriptFilename },
      res,
      rules: resolution.location,
      log,
      trace: this.#trace,
      client: this.#watch,
    })
    return this.#answer
  }

  #exchanged(failure: FastCgiError | null): void {
    const answer = this.#answer
    const error = failure ?? answer?.intercepted ?? null
    if (error !== null) return this.#fail(error)
    this.#trace.end(this.#request.res.statusCode)
    this.#end(null, answer?.localRedirect ?? null)
  }

  #fail(thrown: unknown): void {
    const error = asFastCgiError(thrown)
    this.#trace.fail(error)
    this.#end(error, null)
  }

  #end(error: FastCgiError | null, localRedirect: string | null): void {
    const done = this.#done
    this.#done = null
    this.#watch.stop()
    this.#answer?.close()
    this.#body?.close()
    done?.(error, localRedirect)
  }
}

/** CONTENT_LENGTH is not the operator's to change: STDIN has exactly so many bytes. */
function parametersOf({ req, facts, resolution }: ScriptRequest, body: RequestBody | null): Parameters {
  const { location, script, params } = resolution
  const of = { facts, script, body: body === null ? bodiless(facts) : bodyFacts(body) }
  if (location.params.size === 0) return { forEach: (take) => forEachVariable(of, take) }
  const environment = buildEnvironment(of)
  applyParams(environment, operatorParams(location.params, req, params))
  if (body === null) environment.delete('CONTENT_LENGTH')
  else environment.set('CONTENT_LENGTH', String(body.length))
  return environment
}

function bodiless({ headers }: RequestFacts): BodyFacts {
  return { contentLength: null, contentType: headers['content-type'], dropContentEncoding: false }
}

function bodyFacts({ length, contentType, rewritten }: RequestBody): BodyFacts {
  return { contentLength: length, contentType, dropContentEncoding: rewritten }
}
