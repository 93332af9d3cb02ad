import { inspect } from 'node:util'
import { refusal } from './kinds.ts'
import type { Logger } from './types.ts'

/**
 * The log that was given, such that no request hears of its failures; null: none.
 * @throws OptionError for what is no logger
 */
export function resolveLogger(logger: unknown = console): Logger | null {
  if (logger === false) return null
  if (isLogger(logger)) return guarded(logger)
  throw refusal('logger', logger, 'an object with the methods error, warn and info, or false')
}

function isLogger(value: unknown): value is Logger {
  if (typeof value !== 'object' || value === null) return false
  const { error, warn, info } = value as Partial<Record<keyof Logger, unknown>>
  return [error, warn, info].every((method) => typeof method === 'function')
}

/** One for each logger: a configuration that is read twice is the same, and a broken logger is reported once. */
const guards = new WeakMap<Logger, Logger>()

function guarded(logger: Logger): Logger {
  const guard = guards.get(logger) ?? guardOf(logger)
  guards.set(logger, guard)
  return guard
}

/** Lines are logged amid changes of state, which an exception would leave half done. */
function guardOf(logger: Logger): Logger {
  let isReported = false
  const report = (level: keyof Logger, error: unknown): void => {
    if (isReported) return
    isReported = true
    process.emitWarning(`The logger's ${level}() fails, and lines of the log are lost`, {
      type: 'FastCgiLoggerWarning',
      detail: inspect(error, { customInspect: false }),
    })
  }
  const write = (level: keyof Logger, message: string): void => {
    try {
      // On the logger itself: pino's methods need their `this`.
      const result: unknown = logger[level](message)
      if (result instanceof Promise) result.catch((error: unknown) => report(level, error))
    } catch (error) {
      report(level, error)
    }
  }
  return Object.freeze({
    error: (message: string): void => write('error', message),
    warn: (message: string): void => write('warn', message),
    info: (message: string): void => write('info', message),
  })
}
