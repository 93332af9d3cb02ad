import type { Readable } from 'node:stream'

/** A longer line is told in pieces; characters. */
const LONGEST_LINE = 8192

/** Calls `tell` with each line of a stream, without its end; empty lines are left out. */
export function readLines(output: Readable, tell: (line: string) => void): void {
  let rest = ''
  output.setEncoding('utf8')
  output.on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) tellPieces(line, tell)
    if (rest.length < LONGEST_LINE) return
    tellPieces(rest, tell)
    rest = ''
  })
  output.on('end', () => tellPieces(rest, tell))
}

function tellPieces(line: string, tell: (line: string) => void): void {
  for (let start = 0; start < line.length; start += LONGEST_LINE) tell(line.slice(start, start + LONGEST_LINE))
}
