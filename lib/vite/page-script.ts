import type { IncomingMessage, ServerResponse } from 'node:http'

/** Whether a browser asks for something to show in a window or a frame, and not for a part of a page. */
export function wantsPage({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' && method !== 'POST') return false
  const destination = headers['sec-fetch-dest']
  // Fetch Metadata goes to trustworthy origins alone: not to a dev server that is reached by the name of its machine.
  if (destination === undefined) return headers.accept?.includes('text/html') ?? false
  return destination === 'document' || destination === 'iframe' || destination === 'frame'
}

/**
 * Puts a script behind the page that `res` is about to be, if it is HTML; it streams as before. Browsers take what follows `</html>`
 * as part of the body (HTML, section 13.2.6.4.22). Returns a function that takes this back.
 */
export function appendScript(res: ServerResponse, script: string): () => void {
  const { writeHead, end } = res
  let tail = ''
  res.writeHead = ((...given: [number]) => {
    if (isHtml(res, given[0])) {
      tail = script
      const length = res.getHeader('content-length')
      if (length !== undefined) res.setHeader('Content-Length', Number(length) + Buffer.byteLength(tail))
    }
    return Reflect.apply(writeHead, res, given)
  }) as typeof writeHead
  res.end = ((...given: [unknown?]) => {
    const [last] = given
    if (tail === '') return Reflect.apply(end, res, given)
    if (typeof last === 'string' || last instanceof Uint8Array) res.write(last)
    return Reflect.apply(end, res, [tail])
  }) as typeof end
  return () => Object.assign(res, { writeHead, end })
}

function isHtml(res: ServerResponse, status: number): boolean {
  const type = res.getHeader('content-type')
  const hasContent = status !== 204 && status !== 205 && status !== 304
  return hasContent && /^text\/html\b/i.test(String(type)) && !res.hasHeader('content-encoding')
}
