import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Balance, type Candidate, type Candidates, createChooser } from '../../../lib/backend/balance.ts'

const POLICIES: readonly Balance[] = ['fill', 'round-robin', 'least-connections', 'random', 'ip-hash']

type Given = Partial<Omit<Candidate, 'key'>>

function backend(key: string, { weight = 1, busy = 0, free = true }: Given = {}): Candidate {
  return { key, weight, busy, free }
}

/** `a`, `b`, … with these weights, nothing under way. */
function weighted(...weights: readonly [number, ...number[]]): Candidates<Candidate> {
  const [first, ...others] = weights
  return [
    backend('a', { weight: first }),
    ...others.map((weight, index) => backend('bcdefgh'.charAt(index), { weight })),
  ]
}

/** `a`, `b`, … with these many requests under way. */
function busy(...counts: readonly [number, ...number[]]): Candidates<Candidate> {
  const [first, ...others] = counts
  return [
    backend('a', { busy: first }),
    ...others.map((count, index) => backend('bcdefgh'.charAt(index), { busy: count })),
  ]
}

/** The keys that a policy chooses one after the other. */
function choices(
  balance: Balance,
  candidates: Candidates<Candidate>,
  { count = 1, random = Math.random, client = '192.0.2.1' } = {},
): string {
  const chooser = createChooser(balance, random)
  return Array.from({ length: count }, () => chooser.choose(candidates, client).key).join(' ')
}

/** Gives these numbers, then the first again. */
function dice(...numbers: readonly number[]): () => number {
  let index = -1
  return () => {
    index += 1
    return numbers[index % numbers.length] ?? 0
  }
}

/** How often each key is chosen for so many clients. */
function shares(candidates: Candidates<Candidate>, clients: number): Readonly<Record<string, number>> {
  const chooser = createChooser('ip-hash')
  const counts: Record<string, number> = {}
  for (let n = 0; n < clients; n++) {
    const { key } = chooser.choose(candidates, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

describe('createChooser', () => {
  for (const balance of POLICIES) {
    it(`takes the only candidate there is (${balance}), without a throw of the dice`, () => {
      const random = (): number => assert.fail('there is nothing to draw')
      assert.equal(choices(balance, [backend('a', { busy: 99, free: false })], { count: 3, random }), 'a a a')
    })
  }
})

describe('fill', () => {
  const table: readonly [title: string, candidates: Candidates<Candidate>, chosen: string][] = [
    ['takes the first of the file', busy(0, 0, 0), 'a'],
    ['goes on with the first while it has room, however busy it is', busy(63, 0, 0), 'a'],
    ['takes the second where the first is full', [backend('a', { free: false }), backend('b'), backend('c')], 'b'],
    ['pays no heed to weights while there is room', weighted(1, 9), 'a'],
    [
      'takes the least used for its weight where all are full',
      [
        backend('a', { busy: 8, weight: 2, free: false }),
        backend('b', { busy: 9, weight: 3, free: false }),
        backend('c', { busy: 4, weight: 1, free: false }),
      ],
      'b',
    ],
    [
      'takes the first of those that are used alike where all are full',
      [
        backend('a', { busy: 5, free: false }),
        backend('b', { busy: 4, free: false }),
        backend('c', { busy: 4, free: false }),
      ],
      'b',
    ],
  ]
  for (const [title, candidates, chosen] of table) {
    it(title, () => assert.equal(choices('fill', candidates), chosen))
  }
})

describe('round-robin', () => {
  const table: readonly [title: string, candidates: Candidates<Candidate>, chosen: string][] = [
    ['serves equal ones in turns', weighted(1, 1, 1), 'a b c a b c'],
    ['serves equal ones in turns whatever their weight is', weighted(7, 7), 'a b a b'],
    ['spreads the turns of a heavy one, as nginx does', weighted(5, 1, 1), 'a a b a c a a a a b a c a a'],
    ['spreads those of two heavy ones', weighted(4, 3, 1), 'a b a b c a b a'],
    ['pays no heed to what is under way', busy(50, 0), 'a b a b'],
  ]
  for (const [title, candidates, chosen] of table) {
    it(title, () => assert.equal(choices('round-robin', candidates, { count: chosen.split(' ').length }), chosen))
  }

  it('goes on where it was when the list is ordered anew', () => {
    const chooser = createChooser('round-robin')
    const [a, b, c] = [backend('a'), backend('b'), backend('c')]
    assert.equal(chooser.choose([a, b, c], '').key, 'a')
    assert.equal(chooser.choose([c, b, a], '').key, 'c')
    assert.equal(chooser.choose([a, b, c], '').key, 'b')
  })

  it('gives two servers of one address a turn each', () => {
    for (const balance of ['round-robin', 'least-connections'] as const) {
      const chooser = createChooser(balance)
      const [one, other] = [backend('a'), backend('a')]
      const chosen = Array.from({ length: 4 }, () => chooser.choose([one, other], ''))
      assert.equal(chosen.filter((candidate) => candidate === one).length, 2, balance)
    }
  })

  it('does not owe a backend the turns that it missed while it was down', () => {
    const chooser = createChooser('round-robin')
    const [a, b, c] = [backend('a'), backend('b'), backend('c')]
    for (let turn = 0; turn < 100; turn++) chooser.choose([a, b], '')
    const after = Array.from({ length: 9 }, () => chooser.choose([a, b, c], '').key)
    assert.equal(after.filter((key) => key === 'c').length, 3)
  })

  it('heeds a weight that changes', () => {
    const chooser = createChooser('round-robin')
    const heavier = { ...backend('a'), weight: 1 }
    const other = backend('b')
    for (let turn = 0; turn < 10; turn++) chooser.choose([heavier, other], '')
    heavier.weight = 3
    const after = Array.from({ length: 8 }, () => chooser.choose([heavier, other], '').key)
    assert.equal(after.filter((key) => key === 'a').length, 6)
  })

  it('keeps no newcomer waiting for what a heavy one has left behind', () => {
    const chooser = createChooser('round-robin')
    const [a, b, c] = [backend('a'), backend('b'), backend('c')]
    // The heavy one is served, and pays the others 500.
    assert.equal(chooser.choose([backend('x', { weight: 600 }), backend('a', { weight: 500 })], '').key, 'x')
    chooser.choose([a, b], '')
    const after = Array.from({ length: 4 }, () => chooser.choose([a, b, c], '').key)
    assert.ok(after.includes('c'), after.join(' '))
  })

  it('keeps one that has paid much waiting for no more than a round or two', () => {
    const chooser = createChooser('round-robin')
    assert.equal(chooser.choose([backend('x', { weight: 600 }), backend('a', { weight: 500 })], '').key, 'x')
    const after = Array.from({ length: 4 }, () => chooser.choose([backend('x'), backend('a')], '').key)
    assert.ok(after.includes('x'), after.join(' '))
  })

  it('serves on evenly when thousands of addresses came and went', () => {
    const chooser = createChooser('round-robin')
    const a = backend('a')
    for (let n = 0; n < 5000; n++) chooser.choose([a, backend(`10.0.${n >> 8}.${n & 255}:9000`)], '')
    assert.equal(
      Array.from({ length: 2 }, () => chooser.choose([a, backend('b')], '').key)
        .sort()
        .join(),
      'a,b',
    )
  })
})

describe('least-connections', () => {
  const table: readonly [title: string, candidates: Candidates<Candidate>, chosen: string][] = [
    ['takes the least busy', busy(2, 1, 3), 'b'],
    ['goes round among those that are equally busy', busy(1, 2, 1, 1), 'a c d a c d'],
    ['goes round while nothing is under way', busy(0, 0, 0), 'a b c a b c'],
    ['goes round by weight while nothing is under way', weighted(3, 1), 'a a b a a a b a'],
    [
      'reckons with the request that is to come: the second one on a heavy one costs less than the first on a light one',
      [backend('a', { weight: 1 }), backend('b', { weight: 3, busy: 1 })],
      'b b',
    ],
    ['fills a light one at last', [backend('a', { weight: 1 }), backend('b', { weight: 3, busy: 3 })], 'a a'],
    [
      'goes round by weight where different weights come out equal',
      [backend('a', { weight: 1, busy: 1 }), backend('b', { weight: 3, busy: 5 }), backend('c', { busy: 9 })],
      'b a b b b a b b',
    ],
  ]
  for (const [title, candidates, chosen] of table) {
    it(title, () => assert.equal(choices('least-connections', candidates, { count: chosen.split(' ').length }), chosen))
  }
})

describe('random', () => {
  const table: readonly [title: string, candidates: Candidates<Candidate>, dice: readonly number[], chosen: string][] =
    [
      ['takes the less busy of the two that it draws', busy(5, 3, 0), [0, 0], 'b'],
      ['takes the less busy whichever is drawn first', busy(5, 3, 0), [0.4, 0], 'b'],
      ['never draws one twice', busy(5, 9, 9), [0, 0], 'a'],
      ['takes the one drawn first where both are equal', busy(1, 1, 1), [0.99, 0], 'c'],
      ['draws by weight', weighted(1, 8, 1), [0.15, 0], 'b'],
      [
        'draws the second by the weights of those that are left',
        [backend('a', { weight: 2 }), backend('b', { weight: 7, busy: 50 }), backend('c', { weight: 1, busy: 50 })],
        [0.5, 0.5],
        'a',
      ],
      ['draws the last for the highest number', busy(9, 1, 0), [0.999_999, 0.999_999], 'c'],
      [
        'finds a heavy one less used',
        [backend('a', { weight: 1, busy: 3 }), backend('b', { weight: 4, busy: 8 })],
        [0, 0],
        'b',
      ],
    ]
  for (const [title, candidates, numbers, chosen] of table) {
    it(title, () => assert.equal(choices('random', candidates, { random: dice(...numbers) }), chosen))
  }

  it('gives idle ones their weights', () => {
    let step = 0
    // Evenly over [0, 1), by the golden ratio: what chance gives on average, without chance.
    const random = (): number => (++step * 0.618_033_988_749_895) % 1
    const served = choices('random', weighted(6, 3, 1), { count: 10_000, random }).split(' ')
    const a = served.filter((key) => key === 'a').length / served.length
    const b = served.filter((key) => key === 'b').length / served.length
    assert.ok(Math.abs(a - 0.6) < 0.02 && Math.abs(b - 0.3) < 0.02, `${a} ${b}`)
  })
})

describe('ip-hash', () => {
  it('takes the same one for a client each time, busy or not, whatever the order', () => {
    const [a, b, c] = [backend('10.0.0.1:9000'), backend('10.0.0.2:9000'), backend('10.0.0.3:9000')]
    for (const client of ['192.0.2.1', '2001:db8::1', '', '198.51.100.77']) {
      const first = createChooser('ip-hash').choose([a, b, c], client)
      assert.equal(createChooser('ip-hash').choose([c, a, b], client).key, first.key, client)
      const full = { ...first, busy: 64, free: false }
      const others = [a, b, c].filter((one) => one !== first)
      assert.equal(createChooser('ip-hash').choose([full, ...others], client).key, first.key, client)
    }
  })

  it('spreads neighbours of one network evenly over neighbours of another', () => {
    const counts = shares([backend('10.0.0.1:9000'), backend('10.0.0.2:9000'), backend('10.0.0.3:9000')], 30_000)
    for (const [key, count] of Object.entries(counts)) assert.ok(Math.abs(count - 10_000) < 500, `${key}: ${count}`)
  })

  it('gives each its weight in clients', () => {
    const counts = shares(weighted(6, 3, 1), 30_000)
    assert.ok(Math.abs((counts.a ?? 0) - 18_000) < 500, JSON.stringify(counts))
    assert.ok(Math.abs((counts.b ?? 0) - 9_000) < 500, JSON.stringify(counts))
  })

  it('is the same in every gateway and in the next release: these clients stay where they are', () => {
    const candidates: Candidates<Candidate> = [
      backend('10.0.0.1:9000'),
      backend('10.0.0.2:9000'),
      backend('/run/php.sock'),
    ]
    const clients = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '2001:db8::1', '2001:db8::2']
    const chosen = clients.map((client) => createChooser('ip-hash').choose(candidates, client).key)
    assert.deepEqual(chosen, [
      '10.0.0.2:9000',
      '/run/php.sock',
      '10.0.0.1:9000',
      '10.0.0.2:9000',
      '10.0.0.1:9000',
      '/run/php.sock',
    ])
  })

  it('leaves a client where it is after thousands of other addresses came and went', () => {
    const chooser = createChooser('ip-hash')
    const [home, other] = [backend('home'), backend('other')]
    const before = chooser.choose([home, other], '192.0.2.1').key
    for (let n = 0; n < 5000; n++) chooser.choose([home, backend(`10.0.${n >> 8}.${n & 255}:9000`)], '192.0.2.1')
    assert.equal(chooser.choose([home, other], '192.0.2.1').key, before)
  })
})
