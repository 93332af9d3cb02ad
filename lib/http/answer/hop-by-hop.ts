import type { HeaderField } from '../../cgi/response-fields.ts'

/** Names in lower case: what a location hides, and what it passes on although it would be hidden. */
export interface FieldRules {
  readonly hideHeaders: ReadonlySet<string>
  readonly passHeaders: ReadonlySet<string>
}

/** Fields that say something about one connection (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2): ours is another. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Fields that mean the client whatever a Connection field says: naming one must not take it away (RFC 9110 section 7.6.1 has
 * the rule for Cache-Control; the rest guard length, type, cookies and the security headers).
 */
const ALWAYS_END_TO_END: ReadonlySet<string> = new Set([
  'accept-ranges',
  'age',
  'allow',
  'cache-control',
  'clear-site-data',
  'date',
  'etag',
  'expires',
  'last-modified',
  'link',
  'location',
  'origin-agent-cluster',
  'permissions-policy',
  'pragma',
  'referrer-policy',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'vary',
  'www-authenticate',
  'x-content-type-options',
  'x-frame-options',
])

const END_TO_END_FAMILY = /^(?:access-control|content|cross-origin)-/

const NO_OPTIONS: ReadonlySet<string> = new Set()

/** The fields that the client gets, in their order; the list itself where that is all of them. */
export function endToEndFields(fields: readonly HeaderField[], rules: FieldRules): readonly HeaderField[] {
  const options = connectionOptions(fields)
  const staysBehind = ({ key }: HeaderField): boolean =>
    isHopByHop(key) || isNamedByConnection(key, options) || isForTheGateway(key, rules) || isHidden(key, rules)
  return fields.some(staysBehind) ? fields.filter((field) => !staysBehind(field)) : fields
}

function isHopByHop(key: string): boolean {
  return HOP_BY_HOP.has(key) || key.startsWith('proxy-')
}

/** `options`: what the Connection fields name. */
function isNamedByConnection(key: string, options: ReadonlySet<string>): boolean {
  return options.has(key) && !ALWAYS_END_TO_END.has(key) && !END_TO_END_FAMILY.test(key)
}

/** nginx's habit: `X-Accel-*` speaks to the gateway. */
function isForTheGateway(key: string, rules: FieldRules): boolean {
  return key.startsWith('x-accel-') && !rules.passHeaders.has(key)
}

/** As in nginx, passing a header wins over hiding it. */
function isHidden(key: string, rules: FieldRules): boolean {
  return rules.hideHeaders.has(key) && !rules.passHeaders.has(key)
}

function connectionOptions(fields: readonly HeaderField[]): ReadonlySet<string> {
  if (!fields.some(isConnection)) return NO_OPTIONS
  const values = fields.filter(isConnection).map((field) => field.value)
  return new Set(values.flatMap((value) => value.toLowerCase().split(',')).map((option) => option.trim()))
}

function isConnection({ key }: HeaderField): boolean {
  return key === 'connection'
}
