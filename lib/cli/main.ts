#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { OptionError } from '../index.ts'
import { check } from './check.ts'
import { describeFailure } from './failure.ts'
import { runRequest } from './request.ts'
import { runServe } from './serve.ts'
import { USAGE, UsageError } from './usage.ts'

/** Does what the command line says. Resolves with the exit code. */
async function run(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args
  if (args.includes('--help') || args.includes('-h')) return print(USAGE)
  switch (command) {
    case '--version':
      return print(`${version()}\n`)
    case 'check':
      return runCheck(rest)
    case 'request':
      return await runRequest(rest)
    case 'serve':
      return await runServe(rest)
    case undefined:
      throw new UsageError('give a command: serve, check or request')
    default:
      throw new UsageError(`there is no command ${command}: give serve, check or request`)
  }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function runCheck([path, ...surplus]: readonly string[]): number {
  if (path === undefined) throw new UsageError('check takes a FILE or a directory')
  if (surplus.length > 0) throw new UsageError(`check takes one FILE, found also ${surplus.join(' ')}`)
  const { text, exitCode } = check(path)
  const stream = exitCode === 0 ? process.stdout : process.stderr
  stream.write(text.endsWith('\n') ? text : `${text}\n`)
  return exitCode
}

/** One line that says what failed and what mends it. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\nTry: express-fastcgi --help`
  return describeFailure(error)
}

// The reader of a pipe that has seen enough (head, less) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

run(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode
  },
  (error: unknown) => {
    process.stderr.write(`express-fastcgi: ${explain(error)}\n`)
    process.exitCode = error instanceof UsageError || error instanceof OptionError ? 2 : 1
  },
)
