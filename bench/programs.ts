import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BackendName, pathOf } from '../test/support/require-backend.ts'

/** The commands of the two small programs of the bench. */
export interface Programs {
  readonly load: readonly string[]
  readonly responder: readonly string[]
  /** `C`, or `Node` where there is no compiler. */
  readonly language: 'C' | 'Node'
}

function source(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

function compile(name: string, directory: string): string {
  const program = join(directory, name)
  execFileSync(pathOf('cc'), ['-O2', '-o', program, source(`${name}.c`)], { stdio: ['ignore', 'ignore', 'pipe'] })
  return program
}

/** Compiles them into a folder, or takes their twins in Node. */
export function preparePrograms(directory: string, withoutCompiler: boolean): Programs {
  const inNode = (name: string): readonly string[] => [process.execPath, source(`${name}.mjs`)]
  if (!withoutCompiler) {
    try {
      mkdirSync(directory, { recursive: true })
      return { load: [compile('load', directory)], responder: [compile('responder', directory)], language: 'C' }
    } catch (error) {
      // No compiler, or not on this system (epoll is Linux's).
      console.error(
        `The load and the responder run in Node: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
      )
    }
  }
  return { load: inNode('load'), responder: inNode('responder'), language: 'Node' }
}

/** Whether the machine has a program. */
export function isInstalled(name: BackendName): boolean {
  try {
    return pathOf(name) !== ''
  } catch {
    // It says which package is missing; the bench does without.
    return false
  }
}
