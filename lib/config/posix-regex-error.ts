/** A pattern that is no POSIX extended regular expression, or has no translation. */
export class PosixRegexError extends Error {
  override readonly name: string = 'PosixRegexError'
  /** Where in the pattern, from 0 on. */
  readonly index: number

  constructor(message: string, index: number) {
    super(message)
    this.index = index
  }
}
