import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { resolveLogger } from '../../../lib/options/logger.ts'
import { resolveOptions } from '../../../lib/options/resolve.ts'
import type { Logger } from '../../../lib/options/types.ts'

const LEVELS = ['error', 'warn', 'info'] as const

function loggerOf(write: (message: string) => void): Logger {
  return { error: write, warn: write, info: write }
}

/** What the process is warned of from now on. */
function warnings(context: TestContext): Error[] {
  const heard: Error[] = []
  const listen = (warning: Error): void => void heard.push(warning)
  process.on('warning', listen)
  context.after(() => process.off('warning', listen))
  return heard
}

describe('the logger', () => {
  it('is called as the object that was given: methods of pino need their this', () => {
    class Lines {
      readonly #lines: string[] = []
      error(message: string): void {
        this.#lines.push(`error ${message}`)
      }
      warn(message: string): void {
        this.#lines.push(`warn ${message}`)
      }
      info(message: string): void {
        this.#lines.push(`info ${message}`)
      }
      get all(): readonly string[] {
        return this.#lines
      }
    }
    const given = new Lines()
    const logger = resolveLogger(given)
    for (const level of LEVELS) logger?.[level]('text')
    assert.deepEqual(given.all, ['error text', 'warn text', 'info text'])
  })

  it('is the console by default, and none with false', (context) => {
    const info = context.mock.method(console, 'info', () => undefined)
    const options = { server: '127.0.0.1:9000', root: '/' }
    resolveOptions(options).logger?.info('text')
    assert.deepEqual(info.mock.calls[0]?.arguments, ['text'])
    assert.equal(resolveOptions({ ...options, logger: false }).logger, null)
  })

  it('may throw: that is told once, and the next line is tried again', async (context) => {
    const heard = warnings(context)
    const lines: string[] = []
    const logger = resolveLogger(
      loggerOf((message) => {
        lines.push(message)
        throw new Error('the disk is full')
      }),
    )
    for (const level of LEVELS) logger?.[level](level)
    await turn()
    assert.deepEqual(lines, LEVELS)
    assert.equal(heard.length, 1)
    const [{ name, message, detail } = {}] = heard as { name?: string; message?: string; detail?: string }[]
    assert.equal(name, 'FastCgiLoggerWarning')
    assert.match(message ?? '', /^The logger's error\(\) fails/)
    assert.match(detail ?? '', /the disk is full/)
  })

  it('may throw what cannot be shown', async (context) => {
    const heard = warnings(context)
    const hostile = {
      [Symbol.for('nodejs.util.inspect.custom')](): never {
        throw new Error('not this either')
      },
    }
    const logger = resolveLogger(
      loggerOf(() => {
        throw hostile
      }),
    )
    logger?.warn('text')
    await turn()
    assert.equal(heard.length, 1)
  })

  it('may be asynchronous and fail: no rejection is left over', async (context) => {
    const heard = warnings(context)
    const logger = resolveLogger(loggerOf(() => Promise.reject(new Error('the socket is gone'))))
    logger?.info('one')
    logger?.info('two')
    await turn()
    assert.equal(heard.length, 1)
  })
})
