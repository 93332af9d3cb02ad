/** Bytes in each unit of a size, powers of 1024. */
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1024],
  ['m', 1024 ** 2],
  ['g', 1024 ** 3],
])

/** Milliseconds in each unit of a duration; a number without a unit is in seconds, as in Monkey's files. */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['', 1000],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** Node's timers count in 32 bits: a longer delay would fire at once (about 24.8 days). */
const MAX_DURATION = 2 ** 31 - 1

/** Reads `On` or `Off` in any case; undefined for anything else. */
export function parseFlag(text: string): boolean | undefined {
  const flag = text.toLowerCase()
  if (flag === 'on') return true
  return flag === 'off' ? false : undefined
}

/** Reads a whole number of digits only (Monkey takes `12abc` for 12); undefined for anything else. */
export function parseCount(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined
  const count = Number(text)
  return Number.isSafeInteger(count) ? count : undefined
}

/** Reads `10k`, `1m`, `1g` or plain bytes into bytes; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS, Number.MAX_SAFE_INTEGER)
}

/** Reads `500ms`, `5s`, `2m`, `1h` or plain seconds into milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATION_UNITS, MAX_DURATION)
}

function parseQuantity(text: string, units: ReadonlyMap<string, number>, max: number): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+)([a-z]*)$/i.exec(text) ?? []
  const scale = units.get(unit.toLowerCase())
  if (digits === '' || scale === undefined) return undefined
  const quantity = Number(digits) * scale
  return quantity <= max ? quantity : undefined
}

/** Whether a number of milliseconds is one that a timer keeps. */
export function isDuration(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_DURATION
}

/** Writes a flag as a file has it. */
export function formatFlag(flag: boolean): string {
  return flag ? 'On' : 'Off'
}

/** Writes bytes with the largest unit that divides them. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_UNITS)
}

/** Writes milliseconds with the largest unit that divides them. */
export function formatDuration(milliseconds: number): string {
  return formatQuantity(milliseconds, DURATION_UNITS)
}

function formatQuantity(quantity: number, units: ReadonlyMap<string, number>): string {
  let best: [unit: string, scale: number] = ['', 1]
  for (const [unit, scale] of units) {
    if (scale >= best[1] && quantity % scale === 0 && quantity >= scale) best = [unit, scale]
  }
  return `${quantity / best[1]}${best[0]}`
}

/** The longest excerpt of a value that a message shows. */
const SHOWN = 80

/** Shows what was given, for a message: strings quoted, long ones cut, never a throw. */
export function showValue(value: unknown): string {
  const text = describe(value)
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(describeOne).join(', ')}]`
  return describeOne(value)
}

function describeOne(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return String(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}
