import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { ResponderListener } from '../responder/exchange.ts'
import type { ResponderRequest } from '../responder/request.ts'
import type { ResponderResponse } from '../responder/response.ts'
import { isVisible } from './machine-folders.ts'
import { MAX_BODY_LENGTH } from './php-ini.ts'
import type { PhpPool } from './php-pool.ts'
import { type PhpRequest, phpRequest } from './php-request.ts'
import type { PhpThread } from './php-thread.ts'

/** Nothing else is run, whatever SCRIPT_FILENAME says: php-fpm's security.limit_extensions. */
const SCRIPT_NAME = /\.(php|phar)$/

/** The FastCGI application: each request goes to a free PHP of the pool. */
export function createApplication(pool: PhpPool): ResponderListener {
  return async (req, res) => {
    const request = phpRequest(req.params)
    const refusal = await findRefusal(request)
    if (refusal !== null) return refuse(res, refusal)
    const thread = await pool.checkOut(req.signal)
    if (thread === null) return
    try {
      await serve(thread, request, { req, res })
    } finally {
      pool.checkIn(thread)
    }
  }
}

interface Exchange {
  readonly req: ResponderRequest
  readonly res: ResponderResponse
}

async function serve(thread: PhpThread, request: PhpRequest, { req, res }: Exchange): Promise<void> {
  const body = await readBody(req.stdin, request.contentLength)
  if (req.aborted) return
  try {
    res.appStatus = await thread.run(request, body, { stdout: res.stdout, stderr: res.stderr, signal: req.signal })
    if (!req.aborted) res.end()
  } catch (error) {
    // PHP itself has ended: out of memory, out of time, or a fault of its own. The next request gets another.
    if (!req.aborted)
      res.fail(`PHP ended while it ran ${request.script}: ${error instanceof Error ? error.message : error}\n`)
  }
}

/** The body in memory of its own, which can go to the thread without a copy; null where there is none. */
async function readBody(stdin: Readable, length: number): Promise<Uint8Array | null> {
  if (length === 0) return null
  const body = new Uint8Array(length)
  let at = 0
  for await (const chunk of stdin) {
    const piece: Buffer = chunk.subarray(0, length - at)
    body.set(piece, at)
    at += piece.length
  }
  return at === length ? body : body.slice(0, at)
}

interface Refusal {
  readonly status: number
  readonly body: string
  readonly log: string
}

/** What php-fpm answers before PHP begins. */
async function findRefusal({ script, contentLength }: PhpRequest): Promise<Refusal | null> {
  if (contentLength > MAX_BODY_LENGTH) {
    const log = `The body has ${contentLength} bytes, the embedded PHP takes ${MAX_BODY_LENGTH}`
    return { status: 413, body: 'Content too large.', log }
  }
  const isFile = await stat(script).then(
    (found) => found.isFile(),
    () => false,
  )
  if (!isFile || !isVisible(script)) return { status: 404, body: 'File not found.', log: 'Primary script unknown' }
  if (SCRIPT_NAME.test(script)) return null
  const log = `Access to the script '${script}' has been denied (only .php and .phar are run)`
  return { status: 403, body: 'Access denied.', log }
}

function refuse(res: ResponderResponse, { status, body, log }: Refusal): void {
  res.stderr.write(`${log}\n`)
  res.writeHead(status, { 'Content-Type': 'text/html; charset=UTF-8' }).end(`${body}\n`)
}
