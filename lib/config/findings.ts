import { ConfigError } from '../errors.ts'
import { formatPosition, type Position } from './section.ts'
import { Sources } from './sources.ts'

/** What reading a configuration found: mistakes, all of them at once, warnings, and where it looked. */
export class Findings {
  readonly sources: Sources = new Sources()
  readonly #problems: Array<Position & { readonly text: string }> = []
  readonly #warnings: string[] = []

  /** A mistake: nothing is served from this configuration. */
  problem(at: Position, text: string): void {
    this.#problems.push({ ...at, text })
  }

  /** Something that is taken, though perhaps not as meant. */
  warning(at: Position, text: string): void {
    this.#warnings.push(`${formatPosition(at)}: ${text}`)
  }

  get hasProblems(): boolean {
    return this.#problems.length > 0
  }

  get warnings(): readonly string[] {
    return this.#warnings
  }

  /** @throws ConfigError with all mistakes, by line within each file */
  throwIfAny(): void {
    if (this.#problems.length === 0) return
    const files = [...new Set(this.#problems.map(({ file }) => file))]
    const ordered = files.flatMap((file) =>
      this.#problems.filter((one) => one.file === file).sort((one, other) => one.line - other.line),
    )
    throw new ConfigError([...new Set(ordered.map((one) => `${formatPosition(one)}: ${one.text}`))], this.sources)
  }
}
