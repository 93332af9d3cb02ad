import { OptionError } from '../errors.ts'

/** A word of a command line: quoted pieces and plain ones in a row, with nothing but blanks between two words. */
const WORD = /(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^ \t\r\n"'\\])+/gs

/** A piece of a word. */
const PIECE = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)/gs

/**
 * Splits a command line into a program and its arguments as a shell would, and does nothing else that a shell does: no variables,
 * no wildcards, no operators. Quotes and backslashes work as in `sh`.
 * @throws OptionError when it is empty or a quotation does not end
 */
export function splitCommandLine(line: string): readonly [program: string, ...parameters: string[]] {
  if (/[^ \t\r\n]/.test(line.replace(WORD, ''))) {
    throw new OptionError(`a quotation does not end in ${JSON.stringify(line)}`)
  }
  const [program, ...parameters] = (line.match(WORD) ?? []).map(unquote)
  if (program === undefined || program === '') throw new OptionError(`${JSON.stringify(line)} names no program`)
  return [program, ...parameters]
}

function unquote(word: string): string {
  return word.replace(PIECE, (_piece, double?: string, single?: string, escaped?: string, plain?: string) => {
    if (double !== undefined) return double.replace(/\\(["\\$`])/g, '$1')
    return single ?? escaped ?? plain ?? ''
  })
}
