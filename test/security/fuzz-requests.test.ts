import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { randomSeed } from '../../fuzz/arguments.ts'
import { type CaseKey, caseOf, describeFailure, playStint } from '../../fuzz/campaign.ts'
import { ClientSide } from '../../fuzz/client-side.ts'

// What `npm run fuzz -- --only client` does for as long as it is told to.

/** The cases of the test, most of them the same each time. */
const seeds = [
  { seed: 20_160_101, from: 0, count: 1_600 },
  { seed: randomSeed(), from: 1_000_000, count: 400 },
] as const

/** Keys of cases that make so many requests together. */
function keysOf(side: ClientSide, { seed, from, count }: (typeof seeds)[number]): CaseKey[] {
  const keys: CaseKey[] = []
  for (let left: number = count; left > 0; ) {
    const key = { seed, caseNumber: from + keys.length }
    left -= caseOf(side, key).requests.length
    keys.push(key)
  }
  return keys
}

describe('Two thousand hostile requests', { concurrency: 2 }, () => {
  const side = new ClientSide()
  after(() => side.close())
  const keys = seeds.flatMap((part) => keysOf(side, part))
  console.log(`hostile requests: the seeds ${seeds.map(({ seed }) => seed).join(' and ')}`)
  for (const [index, setting] of side.settings.entries()) {
    it(`find no crash, no hang, no file that is not theirs, no source, no poisoned variable: ${setting}`, async () => {
      const share = keys.filter(({ caseNumber }) => caseNumber % side.settings.length === index)
      const failure = await playStint({ side, setting, keys: share, goOn: () => true, onProgress: () => undefined })
      if (failure !== null) assert.fail(`${describeFailure(failure)}\n${JSON.stringify(failure.smallest)}`)
    })
  }
})
