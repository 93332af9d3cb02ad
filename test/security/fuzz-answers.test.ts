import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodePlan } from '../../fuzz/answer-plan.ts'
import { randomSeed } from '../../fuzz/arguments.ts'
import { type AnswerCase, BackendSide } from '../../fuzz/backend-side.ts'
import { type CaseKey, caseOf, describeFailure, playStint } from '../../fuzz/campaign.ts'
import { expectationOf, isExact } from '../../fuzz/oracle.ts'

// What `npm run fuzz -- --only backend` does for as long as it is told to.

/** The cases of the test, most of them the same each time. */
const seeds = [
  { seed: 20_160_101, from: 0, count: 800 },
  { seed: randomSeed(), from: 1_000_000, count: 200 },
] as const

/** Keys of cases among which so many are not simply an answer; the others show that what is whole arrives. */
function keysOf(side: BackendSide, { seed, from, count }: (typeof seeds)[number]): CaseKey[] {
  const keys: CaseKey[] = []
  for (let left: number = count; left > 0; ) {
    const key = { seed, caseNumber: from + keys.length }
    if (isBroken(caseOf(side, key))) left -= 1
    keys.push(key)
  }
  return keys
}

function isBroken({ plan, request }: AnswerCase): boolean {
  const bytes = encodePlan(plan, 1)
  return !isExact(bytes, 1) || expectationOf(bytes, { id: 1, method: request.method }).kind !== 'whole'
}

describe('A thousand broken answers', { concurrency: 2 }, () => {
  const side = new BackendSide()
  const keys = seeds.flatMap((part) => keysOf(side, part))
  console.log(`broken answers: the seeds ${seeds.map(({ seed }) => seed).join(' and ')}`)
  for (const [index, setting] of side.settings.entries()) {
    it(`cause no crash and no hang, and none passes for whole: ${setting}`, async () => {
      const share = keys.filter(({ caseNumber }) => caseNumber % side.settings.length === index)
      const failure = await playStint({ side, setting, keys: share, goOn: () => true, onProgress: () => undefined })
      if (failure !== null) assert.fail(`${describeFailure(failure)}\n${JSON.stringify(failure.smallest)}`)
    })
  }
})
