import { readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { request, resolveOptions } from '../index.ts'
import { parseArguments } from './arguments.ts'
import { UsageError } from './usage.ts'

/** What `express-fastcgi request` was asked for. */
export interface RequestCommand {
  readonly address: string
  /** SCRIPT_FILENAME, absolute. */
  readonly script: string
  readonly query: string
  readonly method: string
  /** `--param`, in order. */
  readonly params: readonly (readonly [name: string, value: string])[]
  /** A path, or `-` for stdin. */
  readonly body: string | undefined
  /** Milliseconds, 0 for ever. */
  readonly timeout: number
}

const OPTIONS = {
  body: { type: 'string' },
  method: { type: 'string' },
  param: { type: 'string', multiple: true },
  timeout: { type: 'string' },
} as const

/**
 * Reads the arguments behind `request`.
 * @throws UsageError, OptionError
 */
export function parseRequestCommand(args: readonly string[]): RequestCommand {
  const { values, positionals } = parseArguments(args, OPTIONS)
  const [address, target, ...surplus] = positionals
  if (address === undefined) throw new UsageError('give the ADDRESS of the backend, then a SCRIPT')
  if (target === undefined) throw new UsageError(`give a SCRIPT behind the address ${address}`)
  if (surplus.length > 0)
    throw new UsageError(`there is no place for ${surplus.join(' ')}: give one ADDRESS, one SCRIPT`)
  const queryAt = target.indexOf('?')
  return {
    address,
    script: resolve(queryAt === -1 ? target : target.slice(0, queryAt)),
    query: queryAt === -1 ? '' : target.slice(queryAt + 1),
    method: values.method ?? (values.body === undefined ? 'GET' : 'POST'),
    params: (values.param ?? []).map(parseParam),
    body: values.body,
    timeout: checkedTimeout(address, values.timeout ?? '1m'),
  }
}

function parseParam(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
  throw new UsageError(`--param takes NAME=VALUE, found ${JSON.stringify(text)}`)
}

/** The options of the middleware know what an address and a time are. */
function checkedTimeout(address: string, timeout: string): number {
  const { locations } = resolveOptions({ server: address, root: '/', timeout })
  return locations[0]?.timeout ?? 0
}

/** The CGI variables of a request: what php-fpm needs, what its scripts expect, then `--param`. */
export function requestParams(command: RequestCommand): Record<string, string> {
  const { script, query, method } = command
  const scriptName = `/${basename(script)}`
  const params = new Map<string, string>([
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_SOFTWARE', 'express-fastcgi'],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['SERVER_NAME', 'localhost'],
    ['SERVER_ADDR', '127.0.0.1'],
    ['SERVER_PORT', '80'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['REQUEST_SCHEME', 'http'],
    ['HTTP_HOST', 'localhost'],
    ['REQUEST_METHOD', method],
    ['REQUEST_URI', query === '' ? scriptName : `${scriptName}?${query}`],
    ['QUERY_STRING', query],
    ['SCRIPT_NAME', scriptName],
    ['SCRIPT_FILENAME', script],
    ['DOCUMENT_URI', scriptName],
    ['DOCUMENT_ROOT', dirname(script)],
    ['REDIRECT_STATUS', '200'],
  ])
  if (command.body !== undefined) params.set('CONTENT_TYPE', 'application/x-www-form-urlencoded')
  for (const [name, value] of command.params) {
    if (value === '') params.delete(name)
    else params.set(name, value)
  }
  return Object.fromEntries(params)
}

/** Sends the request and prints its answer. Resolves with the exit code. */
export async function runRequest(args: readonly string[]): Promise<number> {
  const command = parseRequestCommand(args)
  const stderr = new ScriptErrors()
  const status = await request(command.address, {
    params: requestParams(command),
    body: await readBody(command.body),
    timeout: command.timeout,
    stdout: process.stdout,
    stderr,
  })
  if (stderr.scriptUnknown) stderr.complain(`the backend has no ${command.script}, or may not read it: other disks?`)
  if (status !== 0) stderr.complain(`the script ended with the exit status ${status}`)
  return status === 0 ? 0 : 1
}

async function readBody(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  return path === '-' ? await buffer(process.stdin) : readFileSync(path)
}

/** FCGI_STDERR on its way to ours. */
class ScriptErrors extends Writable {
  /** php-fpm found no file of the name SCRIPT_FILENAME (php-fpm.md 12). */
  scriptUnknown = false
  #insideLine = false

  /** A line of our own. */
  complain(what: string): void {
    process.stderr.write(`${this.#insideLine ? '\n' : ''}express-fastcgi: ${what}\n`)
    this.#insideLine = false
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk.includes('Primary script unknown')) this.scriptUnknown = true
    this.#insideLine = chunk.at(-1) !== 0x0a
    process.stderr.write(chunk, done)
  }
}
