import { statSync } from 'node:fs'
import type { ConfigSources } from '../errors.ts'
import type { FastCgiOptions } from '../options/types.ts'
import { readDirectives } from './directives.ts'
import { Findings } from './findings.ts'
import { readIni } from './ini-file.ts'
import { directoryOf, readMonkeyDirectory } from './monkey-directory.ts'
import { readSections } from './sections.ts'

/** A configuration, what was noticed while reading it, and what was read. */
export interface LoadedConfig extends ConfigSources {
  readonly options: FastCgiOptions
  /** `file:line: …`, one each, of what is taken though perhaps not as meant. */
  readonly warnings: readonly string[]
}

/**
 * Reads a Monkey file, an INI file (`*.ini`) or a conf directory of Monkey.
 * @throws ConfigError with every mistake of all files
 */
export function readConfig(path: string): LoadedConfig {
  const findings = new Findings()
  const options = readPath(path, findings)
  findings.throwIfAny()
  const { files, directories } = findings.sources
  return { options, warnings: findings.warnings, files, directories }
}

/**
 * Reads a configuration into options that can be spread: `{ ...loadConfig('fastcgi.conf'), root: 'public' }`. Warnings
 * become warnings of the process; {@link readConfig} hands them over instead.
 * @throws ConfigError with every mistake of all files
 */
export function loadConfig(path: string): FastCgiOptions {
  const { options, warnings } = readConfig(path)
  for (const warning of warnings) process.emitWarning(warning, 'FastCgiConfigWarning')
  return options
}

function readPath(path: string, findings: Findings): FastCgiOptions {
  const isDirectory = isFolder(path, findings)
  if (isDirectory === undefined) return {}
  if (isDirectory) return readMonkeyDirectory(path, findings)
  const directory = directoryOf(path, findings)
  if (directory !== undefined) return readMonkeyDirectory(directory, findings)
  const sections = /\.ini$/i.test(path) ? readIni(path, findings) : readDirectives(path, findings)
  if (sections.length === 0 && !findings.hasProblems)
    findings.problem({ file: path, line: 0 }, 'holds no section; write [FASTCGI_SERVER] and [FASTCGI_LOCATION]')
  return readSections(sections, findings)
}

/** Undefined, and a problem, when nothing can be read there. */
function isFolder(path: string, findings: Findings): boolean | undefined {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    findings.sources.note(path)
    findings.problem(
      { file: path, line: 0 },
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
    return undefined
  }
}
