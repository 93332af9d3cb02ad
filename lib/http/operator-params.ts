import type { IncomingMessage } from 'node:http'
import { assertParameterFits } from '../cgi/script.ts'
import { FastCgiError } from '../errors.ts'
import { fillParameters } from '../routing/pattern.ts'

/** A parameter as configured: `:name` in a text stands for a parameter of the route. */
export type OperatorParam = string | ((req: IncomingMessage) => string | undefined)

/**
 * The operator's parameters for one request; undefined or empty ones are not to be sent.
 * @throws FastCgiError ERR_FCGI_PARAM_FUNCTION when a configured function throws or gives something else than a string;
 * ERR_FCGI_SCRIPT_HIDDEN when a parameter of the route would say what PHP runs, or how
 */
export function operatorParams(
  params: ReadonlyMap<string, OperatorParam>,
  req: IncomingMessage,
  routeParams: Readonly<Record<string, string>>,
): [name: string, value: string | undefined][] {
  return [...params].map(([name, param]) => [
    name,
    typeof param === 'string' ? fill(name, param, routeParams) : callParam(name, param, req),
  ])
}

function fill(variable: string, template: string, routeParams: Readonly<Record<string, string>>): string {
  return fillParameters(template, routeParams, (name, value) => assertParameterFits(variable, name, value))
}

function callParam(
  name: string,
  param: (req: IncomingMessage) => string | undefined,
  req: IncomingMessage,
): string | undefined {
  const value = tryParam(name, param, req)
  if (value === undefined || typeof value === 'string') return value
  const detail = `The function for the parameter ${name} gave ${typeof value} instead of a string or undefined`
  throw new FastCgiError('ERR_FCGI_PARAM_FUNCTION', { detail })
}

function tryParam(name: string, param: (req: IncomingMessage) => unknown, req: IncomingMessage): unknown {
  try {
    return param(req)
  } catch (cause) {
    const detail = `The function for the parameter ${name} threw: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new FastCgiError('ERR_FCGI_PARAM_FUNCTION', { detail, cause })
  }
}
