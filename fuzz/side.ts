import type { Random } from './random.ts'

/** A gateway with what stands on its other side, set up in one of several ways. */
export interface Setting<Case> {
  /** Plays a case; what is wrong with what came of it, null: nothing. */
  run(one: Case, caseNumber: number): Promise<string | null>
  /** Once nobody asks any more: what is wrong with the gateway, or with its answer to a good request. */
  check(): Promise<string | null>
  close(): Promise<void>
}

/** One of the two sides from which a gateway is attacked. */
export interface Side<Case> {
  readonly name: 'client' | 'backend'
  /** The ways in which the gateway is set up. */
  readonly settings: readonly string[]
  open(setting: string): Promise<Setting<Case>>
  /** The same for the same random numbers. */
  make(random: Random, caseNumber: number): Case
  /** Smaller cases that may fail in the same way, the smallest first. */
  simpler(one: Case): Iterable<Case>
  /** Ends what its settings share. */
  close(): Promise<void>
}
