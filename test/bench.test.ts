import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { drawChart } from '../bench/chart.ts'
import type { Measurement } from '../bench/measurement.ts'
import { type CaseResult, caseResult, type Results } from '../bench/results.ts'
import { pairedRatio } from '../bench/statistics.ts'
import { judge } from '../bench/targets.ts'
import { type PrivateDirectory, privateDirectory } from './support/private-directory.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))

/** Needs no program that this machine might not have. */
const CASES = ['floor', 'ours', 'ours-post-close', 'raw-down', 'ours-down', 'raw-up', 'ours-up']

function measurement(figures: Partial<Measurement>): Measurement {
  const usual = { cpu: 50, otherCpu: 0, rate: 1_000, p50: 1, p99: 2, peakMemory: 2 ** 26, errors: 0, share: null }
  return { ...usual, ...figures }
}

/** A case of which CPU alone is of interest. */
function costing(id: string, ...cpu: readonly number[]): CaseResult {
  const one = { id, title: id, unit: 'request', responder: 'small', gateway: { kind: 'ours' }, load: {} } as const
  return caseResult(
    one,
    cpu.map((value) => measurement({ cpu: value })),
  )
}

function isFigure(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

describe('the bench', () => {
  let directory: PrivateDirectory

  before(() => {
    directory = privateDirectory('benchtest')
  })
  after(() => directory.remove())

  /** One short round; no figure of it means anything. */
  function bench(...args: readonly string[]): { readonly results: Results; readonly printed: string } {
    const json = join(directory.path, 'results.json')
    const svg = join(directory.path, 'chart.svg')
    const command = ['--import', 'tsx', 'bench/main.ts', '--quick', '--size', '1048576', '--seconds', '0.1', ...args]
    const ran = spawnSync(process.execPath, [...command, '--json', json, '--svg', svg], {
      cwd: repository,
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: directory.path },
    })
    assert.equal(ran.status, 0, ran.stderr)
    return { results: JSON.parse(readFileSync(json, 'utf8')), printed: ran.stdout }
  }

  for (const [programs, args] of [
    ['the programs that this machine can build', []],
    ['Node alone', ['--no-cc']],
  ] as const) {
    it(`measures, judges, writes and cleans up, with ${programs}`, () => {
      const { results, printed } = bench('--only', CASES.join(','), ...args)
      assert.deepEqual(
        results.cases.map(({ id }) => id),
        CASES,
      )
      for (const { id, rounds, median } of results.cases) {
        assert.equal(rounds.length, 1, id)
        assert.equal(median.errors, 0, id)
        assert.ok(median.rate > 0, id)
        for (const figure of [median.cpu, median.p50, median.p99, median.peakMemory]) assert.ok(isFigure(figure), id)
      }
      const target = results.targets.find(({ title }) => title.startsWith('Small GET, bare http'))
      assert.equal(target?.most, 1.25)
      assert.equal(typeof target?.met, 'boolean')
      assert.match(printed, /^Small GET, bare http.*<= 1\.25 +(met|MISSED)$/m)
      assert.deepEqual(
        readdirSync(directory.path).filter((name) => name.startsWith('fcgi-')),
        [],
      )
    })
  }

  it('draws a chart that says in words what it shows', () => {
    const { cases } = { cases: [costing('floor', 47), costing('ours', 58.4)] }
    const machine = {
      processor: 'a <fast> one',
      cores: 2,
      memoryGiB: 8,
      system: 'linux',
      node: 'v20',
      pinned: true,
      commit: 'c',
    }
    const run = { version: 1, date: '2026-01-01', machine, language: 'C', rounds: 1, seconds: 1, bodyBytes: 1 } as const
    const svg = drawChart({ ...run, cases, targets: [] }) ?? ''
    assert.match(svg, /<desc id="description">floor on node:http: 47 µs; express-fastcgi on node:http: 58 µs<\/desc>/)
    assert.match(svg, /role="img" aria-labelledby="title description"/)
    assert.match(svg, /a &lt;fast&gt; one/)
    assert.equal(drawChart({ ...run, cases: [], targets: [] }), null)
  })

  it('compares rounds with each other, so that a slow round does not count', () => {
    assert.deepEqual(pairedRatio([2, 40, 3], [1, 20, 2]), { value: 2, least: 1.5, most: 2 })
    assert.equal(pairedRatio([], [1]), null)
  })

  it('says which target is met', () => {
    const judged = (ours: number): readonly (boolean | null)[] =>
      judge([costing('floor', 100), costing('ours', ours)]).map(({ met }) => met)
    assert.deepEqual(judged(125), [true])
    assert.deepEqual(judged(126), [false])
  })

  it('measures what grows by what the floor grows', () => {
    const floor = [costing('floor-headers-10', 50), costing('floor-headers-100', 100)]
    const judged = judge([...floor, costing('ours-headers-10', 60), costing('ours-headers-100', 126)])
    assert.deepEqual(
      judged.map(({ value, most, met }) => [value, most, met]),
      [
        [2, null, null],
        [2.1, 2, false],
      ],
    )
  })

  it('refuses a case that there is not, and an option that makes no sense', () => {
    for (const args of [['--only', 'flour'], ['--rounds', '0'], ['--fast']]) {
      const ran = spawnSync(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...args], {
        cwd: repository,
        encoding: 'utf8',
      })
      assert.equal(ran.status, 1)
      assert.match(ran.stderr, /flour|--rounds|--fast/)
    }
  })
})
