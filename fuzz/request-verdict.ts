import { realpathSync } from 'node:fs'
import { BACKUP_CANARY, CANARIES, type CanaryTree, ECHO_MARK, type Echo } from './canaries.ts'
import { type Answers, fieldOf, type HttpAnswer, readAnswers } from './http-answers.ts'
import type { Exchanged } from './raw-client.ts'
import { isOrderly, type RawRequest, type RequestCase } from './request-case.ts'

/** What is known of the gateway that was asked. */
export interface RequestRules {
  readonly tree: CanaryTree
  /** Settings of PHP as they are when nobody meddles; null: there is no PHP. */
  readonly ini: Readonly<Record<string, string>> | null
  /** Something else behind the gateway sends what is no script. */
  readonly othersSendFiles: boolean
}

/** Variables that come from nobody, or from the operator alone. */
const NEVER =
  /^(?:PHP_VALUE|PHP_ADMIN_VALUE|HTTPS|REMOTE_USER|AUTH_TYPE|HTTP_PROXY|HTTP_REDIRECT_.*|REDIRECT_(?!STATUS$).*|HTTP_X_ORIGINAL_URL|HTTP_X_REWRITE_URL|HTTP_CONTENT_(?:LENGTH|TYPE)|HTTP_CONNECTION|HTTP_KEEP_ALIVE|HTTP_TE|HTTP_TRAILER|HTTP_TRANSFER_ENCODING|HTTP_UPGRADE)$/

/** Why a client got what it must not get, or nothing; null: all is well. */
export function verdictOfRequests(one: RequestCase, exchanged: Exchanged, rules: RequestRules): string | null {
  const { received, ending, hung } = exchanged
  const orderlyOnes = one.requests.findIndex(({ orderly }) => !orderly)
  const known = one.cut === null && orderlyOnes === -1 ? one.requests : one.requests.slice(0, Math.max(0, orderlyOnes))
  const answers = readAnswers(
    received,
    one.requests.map(({ method }) => method),
    ending,
  )
  const told = [received, ...answers.answers.map(({ body }) => body)]
  return (
    (hung ? 'the client waits for ever' : null) ??
    verdictOfCanaries(told, rules) ??
    verdictOfStatuses(answers.answers) ??
    (isOrderly(one) ? verdictOfOrder(one, answers, exchanged) : null) ??
    verdictOfEchoes(known, answers.answers, rules)
  )
}

function verdictOfCanaries(told: readonly Buffer[], { othersSendFiles }: RequestRules): string | null {
  for (const [text, why] of CANARIES) if (told.some((bytes) => bytes.includes(text))) return `the client got ${why}`
  if (!othersSendFiles && told.some((bytes) => bytes.includes(BACKUP_CANARY)))
    return 'the client got a copy of a source'
  return null
}

/** The backend is well: what is answered in the 500s is the gateway's doing. */
function verdictOfStatuses(answers: readonly HttpAnswer[]): string | null {
  const bad = answers.find(({ status }) => status >= 500 && status !== 501 && status !== 505)
  return bad === undefined ? null : `the client got the status ${bad.status}`
}

/** One answer for each request, in their order, none but the last cut. */
function verdictOfOrder(one: RequestCase, { answers, rest, problem }: Answers, { ending }: Exchanged): string | null {
  if (problem !== null) return `the client cannot read the answer: ${problem}`
  if (rest.length > 0 && answers.length >= one.requests.length)
    return `${rest.length} bytes came behind the last answer`
  if (answers.length > one.requests.length) return `${answers.length} answers came to ${one.requests.length} requests`
  const last = answers.at(-1)
  if (last === undefined) return 'no answer came'
  if (!last.complete) return 'an answer is cut'
  const saysClose = fieldOf(last, 'connection')?.toLowerCase() === 'close'
  if (answers.length < one.requests.length && ending !== 'open' && !saysClose) return 'an answer is missing'
  return null
}

function verdictOfEchoes(
  known: readonly RawRequest[],
  answers: readonly HttpAnswer[],
  rules: RequestRules,
): string | null {
  for (const [index, { body }] of answers.entries()) {
    const echo = echoOf(body)
    if (echo === null) continue
    const request = known[index]
    const verdict = verdictOfVariables(echo, rules) ?? (request === undefined ? null : verdictOfRequest(echo, request))
    if (verdict !== null) return verdict
  }
  return null
}

/** The echo in a body, null where there is none or not all of it. */
export function echoOf(body: Buffer): Echo | null {
  const text = body.toString('utf8')
  if (!text.startsWith(ECHO_MARK)) return null
  try {
    return JSON.parse(text) as Echo
  } catch {
    // Cut: the framing is somebody else's question.
    return null
  }
}

function verdictOfVariables({ server, ini, length }: Echo, rules: RequestRules): string | null {
  const { root, scripts } = rules.tree
  const bad = Object.keys(server).find((name) => NEVER.test(name))
  if (bad !== undefined) return `the script was told ${bad}=${server[bad]}`
  const fixed = { DOCUMENT_ROOT: root, REDIRECT_STATUS: '200', GATEWAY_INTERFACE: 'CGI/1.1', REMOTE_ADDR: '127.0.0.1' }
  for (const [name, value] of Object.entries(fixed)) {
    if (server[name] !== value) return `the script was told ${name}=${server[name]} instead of ${value}`
  }
  const script = server.SCRIPT_FILENAME ?? ''
  if (!script.startsWith(`${root}/`) || !scripts.has(realPathOf(script))) return `SCRIPT_FILENAME was ${script}`
  if (length !== null && Number(server.CONTENT_LENGTH ?? 0) !== length) {
    return `CONTENT_LENGTH was ${server.CONTENT_LENGTH}, the body had ${length} bytes`
  }
  for (const [name, value] of Object.entries(rules.ini ?? {})) {
    if (ini?.[name] !== value) return `the setting ${name} was ${ini?.[name]} instead of ${value}`
  }
  return null
}

/** Links that stay inside are fine. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // It is none of ours then.
    return path
  }
}

function verdictOfRequest({ server, length }: Echo, request: RawRequest): string | null {
  const id = /\bid=(\d+)/.exec(server.QUERY_STRING ?? '')?.[1]
  if (id !== undefined && Number(id) !== request.id) return `the request ${request.id} got the answer of ${id}`
  if (server.QUERY_STRING?.includes('smuggled') === true) return 'a body was run as a request'
  if (length !== null && length !== request.bodyLength)
    return `${length} of ${request.bodyLength} bytes of the body arrived`
  const sent = request.fields
    .map((field) => field.slice(0, field.indexOf(':')))
    .filter((name) => /^[A-Za-z0-9-]+$/.test(name))
  const variables = new Set(sent.map((name) => `HTTP_${name.toUpperCase().replaceAll('-', '_')}`))
  const made = Object.keys(server).find((name) => name.startsWith('HTTP_') && !variables.has(name))
  return made === undefined ? null : `the script was told ${made}=${server[made]}, which no header says`
}
