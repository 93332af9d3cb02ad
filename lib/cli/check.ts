import {
  ConfigError,
  type FastCgiOptions,
  OptionError,
  optionWarnings,
  type ResolvedOptions,
  readConfig,
  resolveOptions,
} from '../index.ts'

/** What `express-fastcgi check` prints, and how it exits: 0 when the configuration can be served, 1 when not. */
export interface CheckResult {
  readonly text: string
  readonly exitCode: 0 | 1
}

/** Checks a configuration: tells every problem, or the warnings and every key of every server and location in effect. */
export function check(path: string): CheckResult {
  try {
    const { options, warnings } = readConfig(path)
    const rootless = lacksRoot(options)
    // The root may come from JavaScript, as Monkey's comes from the site: all the rest is checked as if it did.
    const resolved = resolveOptions(rootless ? { ...options, root: '.' } : options)
    const missing = rootless ? [`${path}: ${ROOT_MISSING}`] : []
    const notes = [...warnings, ...missing, ...optionWarnings(resolved)]
    const lines = [
      ...notes.map((note) => `warning: ${note}`),
      ...formatOptions(resolved, rootless ? options : undefined),
    ]
    return { text: `${lines.join('\n')}\n`, exitCode: 0 }
  } catch (error) {
    if (error instanceof ConfigError) return { text: `${error.message}\n`, exitCode: 1 }
    if (error instanceof OptionError) return { text: `${path}: ${error.message}\n`, exitCode: 1 }
    throw error
  }
}

const ROOT_MISSING =
  'a location has no DocumentRoot; give it in the file, or root in JavaScript: fastcgi({ ...loadConfig(file), root })'

function lacksRoot({ root, scriptFilename, locations = [{}] }: FastCgiOptions): boolean {
  if (root !== undefined || scriptFilename !== undefined) return false
  return locations.some((location) => location.root === undefined && location.scriptFilename === undefined)
}

/** `rootless` is given when locations without a root of their own have none. */
function formatOptions(options: ResolvedOptions, rootless: FastCgiOptions | undefined): readonly string[] {
  const servers = options.servers.flatMap((server) => ['', `server ${server.name}`, ...formatKeys({ ...server })])
  const locations = options.locations.flatMap((location, index) => {
    const isMissing = rootless !== undefined && rootless.locations?.[index]?.root === undefined
    const root = isMissing && location.scriptFilename === null ? undefined : location.root
    return ['', `location ${location.name}`, ...formatKeys({ ...location, root })]
  })
  const trust = options.trustProxy === null ? "Express's setting, else nobody" : 'as configured'
  const workers = options.workers ?? "those of Node's cluster, or this process alone"
  return [...servers, ...locations, '', `trustProxy  ${trust}`, `workers     ${workers}`]
}

function formatKeys({ name: _name, ...keys }: Readonly<Record<string, unknown>>): readonly string[] {
  const width = Math.max(...Object.keys(keys).map((key) => key.length))
  return Object.entries(keys).map(([key, value]) => `  ${key.padEnd(width)}  ${formatValue(key, value)}`)
}

function formatValue(key: string, value: unknown): string {
  if (value === undefined) return 'missing'
  if (key === 'command' && Array.isArray(value)) return value.join(' ')
  if (key === 'hosts' && Array.isArray(value) && value.length === 0) return 'any'
  if (value === null) return 'none'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (typeof value === 'number') return formatNumber(key, value)
  if (value instanceof Map) return formatList([...value].map(([name, one]) => `${name}=${String(one)}`))
  if (value instanceof Set || Array.isArray(value)) return formatList([...value].map(String))
  if (typeof value === 'object') return formatWords(value)
  return String(value)
}

/** The words of a directive, as a file has them. */
function formatWords(value: object): string {
  const given = Object.entries(value).filter(([, one]) => one !== null)
  return given.map(([word, one]) => `${word}=${typeof one === 'number' ? `${one}ms` : one}`).join(' ')
}

function formatList(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.join(', ')
}

/** Numbers are milliseconds in keys of time and bytes in keys of size. */
function formatNumber(key: string, value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'unlimited'
  if (/timeout$/i.test(key)) return value === 0 ? 'none' : `${value} ms`
  return key === 'bodyLimit' || key === 'responseBuffer' ? `${value} bytes` : String(value)
}
