import { OptionError } from '../errors.ts'
import { isText, type Kind, positiveDuration, refusal, words } from './kinds.ts'
import { nearest } from './nearest.ts'
import type { ResolvedHealthCheck } from './types.ts'

/** The words of a health check. */
const WORDS = ['ping', 'script', 'interval', 'timeout'] as const

/** From one check to the next, in milliseconds. */
const INTERVAL = 5_000

/** For a whole check, in milliseconds. */
const TIMEOUT = 2_000

type Given = Readonly<Partial<Record<(typeof WORDS)[number], unknown>>>

/** How a server is asked whether it is up; in a file `HealthCheck ping=/ping interval=5s timeout=2s`. */
export const healthCheck: Kind<ResolvedHealthCheck | null> = {
  allowed:
    'ping=/path or script=/file, and if need be interval=5s and timeout=2s; in JavaScript an object of the same keys',
  read: (text) => wordsIn(text) ?? text,
  resolve(value, key) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw refusal(key, value, healthCheck.allowed)
    }
    const given = knownOnly(value, key)
    const { ping, script, interval = INTERVAL, timeout = TIMEOUT } = given
    if ((ping === undefined) === (script === undefined)) {
      const what = ping === undefined ? 'there is neither ping nor script' : 'there are both ping and script'
      throw new OptionError(`${key}: ${what}; give one: the page of php-fpm's ping.path, or a script of your own`)
    }
    return Object.freeze({
      interval: positiveDuration.resolve(interval, `${key}.interval`),
      timeout: positiveDuration.resolve(timeout, `${key}.timeout`),
      ping: ping === undefined ? null : pingOf(ping, `${key}.ping`),
      script: script === undefined ? null : scriptOf(script, `${key}.script`),
    })
  },
}

/** `name=value` each, none twice; undefined for any other text. */
function wordsIn(text: string): Readonly<Record<string, string>> | undefined {
  const pairs = words(text).map((word) => /^(\w+)=(.+)$/s.exec(word))
  const given = Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1], pair[2]]])))
  return Object.keys(given).length === pairs.length ? given : undefined
}

function knownOnly(value: object, key: string): Given {
  const given = Object.entries(value).filter(([, one]) => one !== undefined)
  for (const [word] of given) {
    if (WORDS.some((known) => known === word)) continue
    const near = nearest(
      word,
      WORDS.map((known) => [known, known] as const),
    )
    const hint = near === undefined ? `there are ${WORDS.join(', ')}` : `did you mean ${near}?`
    throw new OptionError(`${key}.${word}: there is no such option; ${hint}`)
  }
  return Object.fromEntries(given)
}

/** A path as SCRIPT_NAME has it: php-fpm compares that with ping.path, byte for byte. */
function pingOf(value: unknown, key: string): string {
  const isPath = isText(value) && value.startsWith('/') && /^[^\s\p{Cc}?#]+$/u.test(value)
  if (!isPath) throw refusal(key, value, "a path that begins with / and has no query, as php-fpm's ping.path: /ping")
  return value
}

function scriptOf(value: unknown, key: string): string {
  if (!isText(value)) throw refusal(key, value, "a script's path, as the backend knows it")
  return value
}
