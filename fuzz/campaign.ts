import { Random } from './random.ts'
import { shrink } from './shrink.ts'
import type { Setting, Side } from './side.ts'

/** What a case is known by, and made from again. */
export interface CaseKey {
  readonly seed: number
  readonly caseNumber: number
}

/** A case that failed, as small as it could be made. */
export interface Failure<Case> extends CaseKey {
  readonly side: string
  readonly setting: string
  readonly problem: string
  readonly original: Case
  readonly smallest: Case
}

/** A part of a campaign: cases that follow one another before the same gateway. */
export interface Stint<Case> {
  readonly side: Side<Case>
  readonly setting: string
  readonly keys: readonly CaseKey[]
  /** Asked before each batch: go on? */
  readonly goOn: () => boolean
  /** Called after each batch with the cases that were played. */
  readonly onProgress: (cases: number) => void
}

/** Cases that are under way at once, and between two looks at the gateway. */
const [AT_ONCE, BATCH] = [16, 96]

/** A case: the same wherever and in whatever order it is played. */
export function caseOf<Case>(side: Side<Case>, { seed, caseNumber }: CaseKey): Case {
  return side.make(new Random(seed, side.name, caseNumber), caseNumber)
}

/** Plays cases until one fails. */
export async function playStint<Case>(stint: Stint<Case>): Promise<Failure<Case> | null> {
  const setting = await stint.side.open(stint.setting)
  try {
    for (let done = 0; done < stint.keys.length && stint.goOn(); done += BATCH) {
      const keys = stint.keys.slice(done, done + BATCH)
      const found = await playBatch(stint.side, setting, keys)
      stint.onProgress(keys.length)
      if (found !== null) return await explain(stint, found)
    }
    return null
  } finally {
    await setting.close()
  }
}

interface Found {
  /** Those that may be to blame: one, or the whole batch. */
  readonly suspects: readonly CaseKey[]
  readonly problem: string
}

async function playBatch<Case>(
  side: Side<Case>,
  setting: Setting<Case>,
  keys: readonly CaseKey[],
): Promise<Found | null> {
  const left = [...keys]
  let found: Found | null = null
  const work = async (): Promise<void> => {
    for (let key = left.shift(); key !== undefined; key = left.shift()) {
      const problem = await setting.run(caseOf(side, key), key.caseNumber)
      if (problem !== null) found ??= { suspects: [key], problem }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  // What the gateway itself has to say explains more than what its clients saw of it.
  const problem = await setting.check()
  return problem === null ? found : { suspects: keys, problem }
}

/** Looks for the case where a whole batch is to blame, then makes it smaller. */
async function explain<Case>({ side, setting }: Stint<Case>, found: Found): Promise<Failure<Case>> {
  const trial = new Trial(side, setting)
  try {
    for (const key of found.suspects) {
      const original = caseOf(side, key)
      const fails = (one: Case): Promise<string | null> => trial.fails(one, key.caseNumber)
      const problem = await fails(original)
      if (problem === null) continue
      const smaller = await shrink({ one: original, problem }, (one) => side.simpler(one), fails)
      return { side: side.name, setting, ...key, problem: smaller.problem, original, smallest: smaller.one }
    }
  } finally {
    await trial.close()
  }
  const [first = { seed: 0, caseNumber: 0 }] = found.suspects
  const problem = `${found.problem}\n(in company only: alone, neither of the ${found.suspects.length} suspects fails)`
  const original = caseOf(side, first)
  return { side: side.name, setting, ...first, problem, original, smallest: original }
}

/** What to say of a failure, with the command that repeats it. */
export function describeFailure({ side, setting, seed, caseNumber, problem }: Failure<unknown>): string {
  const again = `npm run fuzz -- --only ${side} --seed ${seed} --case ${caseNumber} --setting '${setting}'`
  return `${problem}\n  side ${side}, setting ${setting}, seed ${seed}, case ${caseNumber}\n  again: ${again}`
}

/** Plays one case at a time, before a gateway that no case has harmed. */
class Trial<Case> {
  readonly #side: Side<Case>
  readonly #name: string
  #setting: Setting<Case> | null = null

  constructor(side: Side<Case>, name: string) {
    this.#side = side
    this.#name = name
  }

  /** Where it is a race, a case may need a few attempts. */
  async fails(one: Case, caseNumber: number): Promise<string | null> {
    this.#setting ??= await this.#side.open(this.#name)
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const problem = await this.#setting.run(one, caseNumber)
      const harm = await this.#setting.check()
      if (harm !== null) await this.close()
      if (harm !== null || problem !== null) return harm ?? problem
    }
    return null
  }

  async close(): Promise<void> {
    await this.#setting?.close()
    this.#setting = null
  }
}
