import { OptionError } from '../errors.ts'
import { splitCommandLine } from '../process/command-line.ts'
import { isText, type Kind, refusal } from './kinds.ts'
import type { ResolvedServer } from './types.ts'

/** Asks for whatever PHP there is. */
export const AUTO = 'auto'

/** How a backend is started: a command line, split like a shell's words, or a list; never run by a shell. */
export const command: Kind<ResolvedServer['command']> = {
  allowed: 'a program and its parameters, in JavaScript also as an array; auto for whatever PHP there is',
  read: (text) => text,
  resolve(value, key) {
    if (value === AUTO) return AUTO
    if (typeof value === 'string') return Object.freeze(split(value, key))
    if (!Array.isArray(value) || !isText(value[0]) || !value.every(isParameter))
      throw refusal(key, value, command.allowed)
    return Object.freeze([...value])
  },
}

function split(line: string, key: string): readonly string[] {
  if (line.includes('\0')) throw refusal(key, line, command.allowed)
  try {
    return splitCommandLine(line)
  } catch (error) {
    if (error instanceof OptionError) throw new OptionError(`${key}: ${error.message}`)
    throw error
  }
}

/** A parameter may be empty, the program may not. */
function isParameter(value: unknown): value is string {
  return value === '' || isText(value)
}
