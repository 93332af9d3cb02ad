/** A count: 1 234 567, in groups of three (SI: thin spaces). */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, '\u202f')
}

/** Something a second, with as many digits as say something. */
export function formatRate(rate: number): string {
  if (rate === 0) return '0'
  if (rate < 0.1) return '<\u202f0.1'
  return rate < 10 ? rate.toFixed(1) : formatCount(rate)
}

/** Milliseconds that something took. */
export function formatMilliseconds(duration: number | null): string {
  if (duration === null) return '–'
  if (duration < 9.95) return `${duration.toFixed(1)}\u202fms`
  if (duration < 999.5) return `${Math.round(duration)}\u202fms`
  return `${(duration / 1000).toFixed(duration < 9950 ? 1 : 0)}\u202fs`
}

const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const

/** Seconds that something has lasted, in its two largest units. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const first = UNITS.findIndex(([size]) => whole >= size)
  if (first === -1) return '0\u202fs'
  let rest = whole
  const words = UNITS.slice(first, first + 2).map(([size, unit]) => {
    const count = Math.floor(rest / size)
    rest %= size
    return count === 0 ? '' : `${count}\u202f${unit}`
  })
  return words.filter((word) => word !== '').join(' ')
}
