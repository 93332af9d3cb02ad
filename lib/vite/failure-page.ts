import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { FastCgiError } from '../errors.ts'

/** Shows a failure to the developer, with the detail that a visitor never sees; `script` reloads the page after a change. */
export function sendFailurePage(res: ServerResponse, error: FastCgiError, script: string): void {
  const title = `${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 50rem; padding: 0 1rem }
pre { white-space: pre-wrap; background: #8882; padding: 1rem; border-radius: .5rem }</style>
<h1>${title}</h1>
<p><code>${error.code}</code> ${escapeHtml(error.message)}</p>
<pre>${escapeHtml(error.detail)}</pre>
</html>
${script}`
  res.writeHead(error.status, {
    ...error.headers,
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(page),
  })
  res.end(page)
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
