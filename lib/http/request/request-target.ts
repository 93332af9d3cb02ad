import { quoted } from '../../cgi/quotation.ts'
import { FastCgiError } from '../../errors.ts'

/** A request target (RFC 9112 section 3.2), reduced. Percent-encoded as the client wrote it. */
export interface RequestTarget {
  /** Path and query. */
  readonly target: string
  /** Begins with `/`, or is `*`. */
  readonly path: string
  /** Without `?`. */
  readonly query: string
  /** Of an absolute-form target, without userinfo. */
  readonly authority: string | undefined
}

const ABSOLUTE_FORM = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)(.*)$/s

/**
 * Reduces a target to path and query: without a scheme, authority or fragment.
 * @throws FastCgiError ERR_FCGI_BAD_TARGET for what is neither origin-form, absolute-form nor `*`
 */
export function parseTarget(url: string | undefined): RequestTarget {
  if (url === undefined) throw badTarget('The request has no target')
  if (url.startsWith('/')) {
    // url.parse(), to which express.static falls back here, would read `//user@host/a.php#` as the path `/a.php`.
    if (url.startsWith('//') && /[#\s]/.test(url))
      throw badTarget(`The target is neither a path nor a URL: ${quoted(url)}`)
    return splitQuery(url, undefined)
  }
  if (url === '*') return { target: url, path: url, query: '', authority: undefined }
  const [, authority = '', rest = ''] = ABSOLUTE_FORM.exec(url) ?? []
  if (authority === '') throw badTarget(`The target is neither a path nor a URL: ${quoted(url)}`)
  return splitQuery(rest.startsWith('/') ? rest : `/${rest}`, authority.slice(authority.lastIndexOf('@') + 1))
}

function badTarget(detail: string): FastCgiError {
  return new FastCgiError('ERR_FCGI_BAD_TARGET', { detail })
}

function splitQuery(url: string, authority: string | undefined): RequestTarget {
  const fragment = url.indexOf('#')
  const target = fragment === -1 ? url : url.slice(0, fragment)
  const mark = target.indexOf('?')
  if (mark === -1) return { target, path: target, query: '', authority }
  return { target, path: target.slice(0, mark), query: target.slice(mark + 1), authority }
}

/**
 * The mount that Connect took off a path: unlike Express it does not say. What was taken off borders on a slash, on the
 * end, or on a dot, and Connect then puts a slash in front. A path that another middleware wrote anew has no mount.
 */
export function mountTakenOff(original: string, path: string): string {
  if (original === path) return ''
  if (original.endsWith(path)) return original.slice(0, original.length - path.length)
  const shorter = path.slice(1)
  const isCut = shorter === '' || (shorter.startsWith('.') && original.endsWith(shorter))
  return isCut ? original.slice(0, original.length - shorter.length) : ''
}
