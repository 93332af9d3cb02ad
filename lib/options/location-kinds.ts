import { resolve as resolvePath } from 'node:path'
import { domainToASCII } from 'node:url'
import { types } from 'node:util'
import { OptionError } from '../errors.ts'
import { compilePattern } from '../routing/pattern.ts'
import { isText, type Kind, listOf, refusal, words } from './kinds.ts'
import type { Match, ResolvedLocation } from './types.ts'
import { parseFlag } from './values.ts'

/** Document root: absolute, without a slash at the end. */
export const root: Kind<string | null> = {
  allowed: 'the path of a folder',
  read: (text) => text,
  resolve(value, key) {
    if (value instanceof URL) throw refusal(key, value, 'a path: fileURLToPath(url) makes one of a URL')
    if (!isText(value)) throw refusal(key, value, root.allowed)
    return resolvePath(value)
  },
}

const segmentsGoUp = (path: string): boolean => /(?:^|\/)\.{1,2}(?:\/|$)/.test(path)

const indexName: Pick<Kind<string>, 'resolve'> = {
  resolve(value, key) {
    if (!isText(value) || value.includes('/') || segmentsGoUp(value)) throw refusal(key, value, index.allowed)
    return value
  },
}

/** Names of files that answer for a folder. */
export const index: Kind<readonly string[]> = {
  allowed: 'names of files without a slash, or Off (false in JavaScript)',
  isList: true,
  read: (text) => (parseFlag(text) === false ? false : words(text)),
  resolve: (value, key) => (value === false ? Object.freeze([]) : listOf(value, key, indexName)),
}

/** The script for paths that are no file, with its leading slash. */
export const frontController: Kind<string | null> = {
  allowed: 'the path of a script under the root such as /index.php, or Off (false in JavaScript)',
  read: (text) => (parseFlag(text) === false ? false : text),
  resolve(value, key) {
    if (value === false) return null
    if (!isText(value) || /[?#]|\/$|\/\//.test(value) || segmentsGoUp(value)) {
      throw refusal(key, value, frontController.allowed)
    }
    return value.startsWith('/') ? value : `/${value}`
  },
}

const extension: Pick<Kind<string>, 'resolve'> = {
  resolve(value, key) {
    if (!isText(value) || !/^\.[^/\s]+$/.test(value)) throw refusal(key, value, scriptExtensions.allowed)
    return value
  },
}

/** Extensions of scripts, each with its dot. */
export const scriptExtensions: Kind<readonly string[]> = {
  allowed: 'extensions with their dot, such as .php',
  isList: true,
  read: words,
  resolve(value, key) {
    const list = listOf(value, key, extension)
    if (list.length === 0) throw refusal(key, value, scriptExtensions.allowed)
    return list
  },
}

/** The program of a whole location, as the backend knows it. */
export const scriptFilename: Kind<string | null> = {
  allowed: 'the path of a program',
  read: (text) => text,
  resolve(value, key) {
    if (!isText(value)) throw refusal(key, value, scriptFilename.allowed)
    return value
  },
}

const host: Pick<Kind<string>, 'resolve'> = {
  resolve(value, key) {
    const parts = isText(value) ? /^(\[[0-9a-f:.]+\]|[^\s:/[\]]+?)\.?(?::\d{1,5})?$/i.exec(value) : null
    const named = parts?.[1]
    if (named === undefined) throw refusal(key, value, hosts.allowed)
    if (named === '*' || named.startsWith('[')) return named.toLowerCase()
    const ascii = domainToASCII(named)
    if (!/^[a-z0-9._-]+$/.test(ascii)) throw refusal(key, value, hosts.allowed)
    return ascii
  },
}

/** Host names as the Host header has them, without the port. */
export const hosts: Kind<readonly string[]> = {
  allowed: 'host names such as www.example.com or [::1], or * for the hosts that no location names',
  isList: true,
  read: words,
  resolve: (value, key) => listOf(value, key, host),
}

const headerName: Pick<Kind<string>, 'resolve'> = {
  resolve(value, key) {
    // RFC 9110 section 5.6.2: a field name is a token.
    if (typeof value !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(value))
      throw refusal(key, value, headerNames.allowed)
    return value.toLowerCase()
  },
}

/** Names of response headers, in lower case. */
export const headerNames: Kind<ReadonlySet<string>> = {
  allowed: 'names of response headers',
  isList: true,
  read: words,
  resolve: (value, key) => new Set(listOf(value, key, headerName)),
}

const pattern: Pick<Kind<Match>, 'resolve'> = {
  resolve(value, key) {
    // A private copy without g: it would keep lastIndex between calls, and whoever gave the RegExp could set it.
    if (types.isRegExp(value)) return new RegExp(value.source, value.flags.replace('g', ''))
    if (!isText(value)) throw refusal(key, value, match.allowed)
    try {
      compilePattern([value])
    } catch (error) {
      if (error instanceof OptionError) throw new OptionError(`${key}: ${error.message.replace(/^match: /, '')}`)
      throw error
    }
    return value
  },
}

/** Patterns of paths. */
export const match: Kind<readonly Match[]> = {
  allowed: 'regular expressions (Match in a file, RegExp in JavaScript) or path-to-regexp strings (Route in a file)',
  isList: true,
  read: words,
  resolve(value, key) {
    const list = listOf(value, key, pattern)
    if (list.length === 0) throw refusal(key, value, 'at least one pattern')
    return list
  },
}

/** Parameters for the backend; `true` and `false` become what PHP makes of them: `1` and nothing. */
export const params: Kind<ResolvedLocation['params']> = {
  allowed: 'NAME value, in JavaScript an object of strings, numbers, booleans or functions of req',
  read: (text) => {
    const [, parameter = text, value = ''] = /^(\S+)(?:\s+=(?=\s|$))?\s*(.*)$/s.exec(text) ?? []
    return { [parameter]: value }
  },
  resolve(value, key) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal(key, value, params.allowed)
    return new Map(Object.entries(value).map(([parameter, given]) => [parameter, paramValue(parameter, given, key)]))
  },
}

type Param = ResolvedLocation['params'] extends ReadonlyMap<string, infer V> ? V : never

function paramValue(parameter: string, value: unknown, key: string): Param {
  const path = `${key}.${parameter}`
  if (!/^[\x21-\x3c\x3e-\x7e]+$/.test(parameter)) {
    throw new OptionError(`${path}: a parameter's name is printable ASCII without spaces and =`)
  }
  if (typeof value === 'function') return value as Exclude<Param, string>
  if (value === undefined || value === false) return ''
  if (value === true) return '1'
  const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value
  if (typeof text !== 'string' || text.includes('\0')) {
    throw refusal(path, value, 'a string without NUL, a finite number, true, false or a function of req')
  }
  return text
}
