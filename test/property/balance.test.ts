import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Balance, type Candidate, type Candidates, createChooser } from '../../lib/backend/balance.ts'

const POLICIES: readonly Balance[] = ['fill', 'round-robin', 'least-connections', 'random', 'ip-hash']

const candidate: fc.Arbitrary<Candidate> = fc.record({
  key: fc.oneof(
    fc.ipV4().map((host) => `${host}:9000`),
    fc.string(),
  ),
  weight: fc.integer({ min: 1, max: 100 }),
  busy: fc.nat(200),
  free: fc.boolean(),
})

/** One to eight with keys of their own. */
const candidates: fc.Arbitrary<Candidates<Candidate>> = fc
  .uniqueArray(candidate, { minLength: 1, maxLength: 8, selector: ({ key }) => key })
  .map(nonEmpty)

const client = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string())

function nonEmpty(list: readonly Candidate[]): Candidates<Candidate> {
  const [first, ...others] = list
  assert.ok(first)
  return [first, ...others]
}

/** Idle backends of these weights. */
function idle(weights: readonly number[]): Candidates<Candidate> {
  return nonEmpty(weights.map((weight, index) => ({ key: `backend-${index}`, weight, busy: 0, free: true })))
}

/** Even numbers over [0, 1), the same in every run. */
function evenly(): () => number {
  let step = 0
  return () => (++step * 0.618_033_988_749_895) % 1
}

test('every policy chooses one of the candidates, whatever came before', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...POLICIES),
      fc.array(fc.tuple(candidates, client), { maxLength: 20 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (balance, requests, number) => {
        const chooser = createChooser(balance, () => number)
        for (const [list, from] of requests) assert.ok(list.includes(chooser.choose(list, from)))
      },
    ),
  )
})

test('round-robin serves everyone exactly its weight in as many turns as there are weights', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const [chooser, list] = [createChooser('round-robin'), idle(weights)]
      const served = new Map(list.map(({ key }) => [key, 0]))
      for (let turn = weights.reduce((sum, weight) => sum + weight, 0); turn > 0; turn--) {
        const { key } = chooser.choose(list, '')
        served.set(key, (served.get(key) ?? 0) + 1)
      }
      assert.deepEqual([...served.values()], weights)
    }),
  )
})

test('round-robin never serves one of equals twice in a row, and keeps no one waiting for a second round', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 10 }), fc.integer({ min: 1, max: 9 }), (count, weight) => {
      const [chooser, list] = [createChooser('round-robin'), idle(Array.from({ length: count }, () => weight))]
      const served = Array.from({ length: 5 * count }, () => chooser.choose(list, '').key)
      for (let at = 0; at + count <= served.length; at++) {
        assert.equal(new Set(served.slice(at, at + count)).size, count, served.join(' '))
      }
    }),
  )
})

test('round-robin finds back to the weights when backends come and go', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 5 }),
      fc.array(fc.nat(4), { maxLength: 60 }),
      (weights, away) => {
        const [chooser, list] = [createChooser('round-robin'), idle(weights)]
        for (const index of away) {
          const rest = list.filter((_, at) => at !== index % list.length)
          chooser.choose(nonEmpty(rest), '')
        }
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        const served = Array.from({ length: 200 * total }, () => chooser.choose(list, '').key)
        for (const { key, weight } of list) {
          const count = served.filter((one) => one === key).length
          // What it was owed or had paid is settled within a few rounds.
          assert.ok(Math.abs(count - 200 * weight) <= 4, `${key}: ${count} of ${200 * weight}`)
        }
      },
    ),
  )
})

for (const balance of ['round-robin', 'least-connections', 'random'] as const) {
  test(`${balance} comes to the weights under requests that overlap`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 0, max: 40 }),
        (weights, concurrency) => {
          const list = weights.map((weight, index) => ({ key: `${index}`, weight, busy: 0, free: true, served: 0 }))
          const chooser = createChooser(balance, evenly())
          const underWay: (typeof list)[number][] = []
          const rounds = 4000
          for (let n = 0; n < rounds; n++) {
            const [first, ...others] = list
            assert.ok(first)
            const chosen = chooser.choose([first, ...others], '')
            chosen.served += 1
            chosen.busy += 1
            underWay.push(chosen)
            // Everyone is equally quick: the oldest is done first.
            const done = underWay.length > concurrency ? underWay.shift() : undefined
            if (done !== undefined) done.busy -= 1
          }
          const total = weights.reduce((sum, weight) => sum + weight, 0)
          for (const { key, weight, served } of list) {
            const share = weight / total
            // Where all are equally quick, what is served is what is under way; of so many at once each backend has the
            // nearest whole number, give or take what that moves at the others.
            const tolerance = balance === 'round-robin' ? 0.01 : list.length / (2 * (concurrency + 1))
            assert.ok(Math.abs(served / rounds - share) <= tolerance, `${key}: ${served / rounds}, not ${share}`)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
}

test('ip-hash moves only the clients of the backend that left, and no one else when it comes back', () => {
  fc.assert(
    fc.property(candidates, fc.nat(7), fc.array(client, { minLength: 1, maxLength: 50 }), (list, index, clients) => {
      fc.pre(list.length > 1)
      const left = list[index % list.length]
      const rest = nonEmpty(list.filter((one) => one !== left))
      const chooser = createChooser('ip-hash')
      for (const from of clients) {
        const before = chooser.choose(list, from)
        const after = chooser.choose(rest, from)
        if (before !== left) assert.equal(after, before)
        assert.equal(chooser.choose(list, from), before)
      }
    }),
  )
})

test('ip-hash pays no heed to the order of the list nor to what is under way', () => {
  fc.assert(
    fc.property(candidates, client, (list, from) => {
      const chosen = createChooser('ip-hash').choose(list, from)
      const busier = list.map((one) => ({ ...one, busy: one.busy + 7, free: !one.free }))
      assert.equal(createChooser('ip-hash').choose(nonEmpty(busier.reverse()), from).key, chosen.key)
    }),
  )
})

test('ip-hash moves clients only towards a backend whose weight grows', () => {
  fc.assert(
    fc.property(candidates, fc.array(client, { minLength: 1, maxLength: 30 }), (list, clients) => {
      const [first, ...others] = list
      const heavier: Candidates<Candidate> = [{ ...first, weight: first.weight * 2 }, ...others]
      const chooser = createChooser('ip-hash')
      for (const from of clients) {
        const [before, after] = [chooser.choose(list, from).key, chooser.choose(heavier, from).key]
        assert.ok(after === before || after === first.key)
      }
    }),
  )
})
