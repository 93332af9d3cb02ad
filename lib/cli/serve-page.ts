import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'

/** A page of ours, in place of an answer that there is not. */
export interface NoticePage {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** One sentence. */
  readonly summary: string
  /** What happened and what mends it, a paragraph each. */
  readonly paragraphs?: readonly string[]
  /** Lines as PHP wrote them. */
  readonly lines?: readonly string[]
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6478; --line: #d9dde6; --page: #f6f7fa; --mark: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9f0; --soft: #9aa3b5; --line: #333b4d; --page: #161a23; --mark: #ff8a80 }
}
body { background: var(--page); color: var(--ink); font: 1.0625rem/1.6 system-ui, sans-serif; margin: 0 }
main { margin: 12vh auto; max-width: 42rem; padding: 0 1.5rem }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 1.5rem }
h1 b { color: var(--mark); display: block; font-size: 1rem; letter-spacing: .05em }
p, pre { overflow-wrap: anywhere }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; white-space: pre-wrap }
footer { border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; margin-top: 3rem; padding-top: .75rem }
`

/** Sends a page of ours: HTML to whoever asks for it, plain text to the others. */
export function sendNotice(req: IncomingMessage, res: ServerResponse, page: NoticePage): void {
  const isHtml = /\btext\/html\b/i.test(req.headers.accept ?? '')
  const body = Buffer.from(isHtml ? htmlPage(page) : textPage(page))
  res.writeHead(page.status, {
    ...page.headers,
    // What is left of a request's body is not waited for.
    ...(req.complete ? {} : { Connection: 'close' }),
    ...noticeHeaders(isHtml, body.length),
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

function noticeHeaders(isHtml: boolean, length: number): Readonly<Record<string, string | number>> {
  return {
    'Content-Type': `text/${isHtml ? 'html' : 'plain'}; charset=utf-8`,
    'Content-Length': length,
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  }
}

function htmlPage({ status, summary, paragraphs = [], lines = [] }: NoticePage): string {
  const title = `${status} ${STATUS_CODES[status] ?? 'Error'}`
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${STYLE}</style>`,
    '<main>',
    `<h1><b>${escapeHtml(title)}</b> ${escapeHtml(summary)}</h1>`,
    ...paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`),
    ...(lines.length === 0 ? [] : [`<pre>${lines.map(escapeHtml).join('\n')}</pre>`]),
    '<footer>express-fastcgi serve</footer>',
    '</main>',
    '</html>',
    '',
  ].join('\n')
}

function textPage({ status, summary, paragraphs = [], lines = [] }: NoticePage): string {
  return [`${status} ${STATUS_CODES[status] ?? 'Error'}`, summary, ...paragraphs, ...lines, ''].join('\n')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
