import { readFileSync } from 'node:fs'
import type { Findings } from './findings.ts'
import type { Position } from './section.ts'

/** Reads a text file, without its byte order mark; undefined, and a problem at `at`, when that fails. */
export function readText(file: string, at: Position, findings: Findings): string | undefined {
  findings.sources.note(file)
  const bytes = readBytes(file, at, findings)
  if (bytes === undefined) return undefined
  if (bytes.includes(0)) {
    findings.problem({ file, line: 0 }, 'is no text in UTF-8: it holds NUL bytes')
    return undefined
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    findings.warning({ file, line: 0 }, 'is not in UTF-8; it is read as Latin-1')
    return bytes.toString('latin1')
  }
}

function readBytes(file: string, at: Position, findings: Findings): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    findings.problem(at, at.file === file ? `cannot be read: ${reason}` : `${file} cannot be read: ${reason}`)
    return undefined
  }
}

/** The lines of a text, whatever ends them. */
export function linesOf(text: string): readonly string[] {
  return text.split(/\r\n?|\n/)
}
