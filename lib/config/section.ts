/** A place in a file, for messages. */
export interface Position {
  /** As the user wrote it. */
  readonly file: string
  /** From 1 on; 0 for the file as a whole. */
  readonly line: number
}

/** `file:line`, or the file alone. */
export function formatPosition({ file, line }: Position): string {
  return line === 0 ? file : `${file}:${line}`
}

/** A line `Key value`. */
export interface Entry extends Position {
  readonly key: string
  readonly value: string
  /** Where the value begins in its line, from 1 on. */
  readonly column: number
  /** Written `Key[]` in an INI file: one item of a list. */
  readonly isItem?: boolean
}

/** A section header and the lines under it. Sections of one name stay apart. */
export interface Section extends Position {
  /** As written, trimmed; compared without case. */
  readonly name: string
  /** What follows the dot in an INI file's `[FASTCGI_SERVER.php]`. */
  readonly label?: string
  readonly entries: Entry[]
}

/** The name of a section whose header could not be read: a problem is noted, and its lines say nothing new. */
export const UNREADABLE = ''

/** Whether two names of sections or keys are the same: Monkey compares them without case. */
export function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
