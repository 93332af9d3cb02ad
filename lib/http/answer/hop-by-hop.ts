import type { HeaderField } from '../../cgi/response-fields.ts'

/** Names in lower case: what a location hides, and what it passes on although it would be hidden. */
export interface FieldRules {
  readonly hideHeaders: ReadonlySet<string>
  readonly passHeaders: ReadonlySet<string>
}

interface Scope {
  readonly rules: FieldRules
  /** What the Connection fields name. */
  readonly connectionOptions: ReadonlySet<string>
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

/** Each tells whether a field stays behind, in the order in which they are asked. */
const reasonsToDrop: readonly ((key: string, scope: Scope) => boolean)[] = [
  isHopByHop,
  isNamedByConnection,
  isForTheGateway,
  isHidden,
]

/** The fields that the client gets, in their order. */
export function endToEndFields(fields: readonly HeaderField[], rules: FieldRules): readonly HeaderField[] {
  const scope = { rules, connectionOptions: connectionOptions(fields) }
  return fields.filter(({ key }) => !reasonsToDrop.some((drops) => drops(key, scope)))
}

function isHopByHop(key: string): boolean {
  return HOP_BY_HOP.has(key) || key.startsWith('proxy-')
}

function isNamedByConnection(key: string, { connectionOptions }: Scope): boolean {
  return connectionOptions.has(key) && !ALWAYS_END_TO_END.has(key) && !END_TO_END_FAMILY.test(key)
}

/** nginx's habit: `X-Accel-*` speaks to the gateway. */
function isForTheGateway(key: string, { rules }: Scope): boolean {
  return key.startsWith('x-accel-') && !rules.passHeaders.has(key)
}

/** As in nginx, passing a header wins over hiding it. */
function isHidden(key: string, { rules }: Scope): boolean {
  return rules.hideHeaders.has(key) && !rules.passHeaders.has(key)
}

function connectionOptions(fields: readonly HeaderField[]): ReadonlySet<string> {
  const values = fields.filter((field) => field.key === 'connection').map((field) => field.value)
  if (values.length === 0) return NO_OPTIONS
  return new Set(values.flatMap((value) => value.toLowerCase().split(',')).map((option) => option.trim()))
}
